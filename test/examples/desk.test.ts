import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import desk from '../../examples/desk.js'
import type { WsMessage } from '../../lib/index.js'
import { Client, refusal, serve, warnings } from './fixtures/client.js'

interface Got { n: number, by: string }
interface Line { from: string, text: string, visitor: number }

const from = (name: string) => (line: Line) => line.from === name

async function visit (t: Test, app: FastifyInstance, name = 'Ada') {
  const client = await Client.connect(t, app, `/desk?name=${name}`)
  await client.next('line', from('Bot'))
  let n = 0
  const say = (text: string) => { client.send({ topic: 'say', data: { n: ++n, text } }) }
  return Object.assign(client, { say })
}

async function work (t: Test, app: FastifyInstance, name = 'Olga') {
  const client = await Client.connect(t, app, `/desk/operator?name=${name}`)
  await client.next('waiting')
  return client
}

const some = (waiting: number) => waiting > 0
const take = { topic: 'take', data: null }

/** A visitor who is connected to an operator. */
async function handedOver (t: Test, app: FastifyInstance) {
  const operator = await work(t, app)
  const visitor = await visit(t, app)
  visitor.say('human please')
  await operator.next('waiting', some)
  operator.send(take)
  await visitor.next('with', ({ who }) => who === 'human')
  const { visitor: id } = await operator.next<{ visitor: number }>('visitor')
  return { operator, visitor, id }
}

t.test('the bot answers and confirms each message', async (t) => {
  const app = await serve(t, desk)
  const visitor = await visit(t, app)
  visitor.say('When are you open?')
  t.same(await visitor.next('got'), { n: 1, by: 'Bot' })
  t.match(await visitor.next('line'), { from: 'Bot', text: /9 to 17/ })
})

t.test('queues a visitor who asks for a human, and shows the queue to operators', async (t) => {
  const app = await serve(t, desk)
  const operator = await work(t, app)
  const ada = await visit(t, app, 'Ada')
  const grace = await visit(t, app, 'Grace')
  ada.say('human please')
  t.match(await ada.next('with', ({ who }) => who === 'queue'), { position: 1 })
  grace.say('A human, now!')
  t.match(await grace.next('with', ({ who }) => who === 'queue'), { position: 2 })
  await operator.next('waiting', (waiting) => waiting === 2)
  t.same((await app.inject('/desk/status')).json(), { waiting: 2, operators: 1 })
  ada.close()
  t.match(
    await grace.next('with', ({ who }) => who === 'queue'),
    { position: 1 },
    'one in front has gone'
  )
})

t.test('hands a visitor over to an operator, with the earlier conversation', async (t) => {
  const app = await serve(t, desk)
  const operator = await work(t, app)
  const visitor = await visit(t, app)
  visitor.say('What is the price?')
  visitor.say('human please')
  await operator.next('waiting', some)
  operator.send(take)
  const { visitor: id } = await operator.next<{ visitor: number, name: string }>(
    'visitor',
    ({ name }) => name === 'Ada'
  )
  const { lines } = await operator.next<{ lines: Line[] }>('file')
  t.same(lines.filter(from('Ada')).map(({ text }) => text), ['What is the price?', 'human please'])
  t.match(await visitor.next('with', ({ who }) => who === 'human'), { name: 'Olga' })

  visitor.say('Are you real?')
  t.match(await visitor.next('got', ({ n }: Got) => n === 3), { by: 'Olga' })
  t.match(await operator.next('line', from('Ada')), { visitor: id, text: 'Are you real?' })
  operator.send({ topic: 'say', data: { visitor: id, text: 'As real as it gets' } })
  t.same(await visitor.next('line', from('Olga')), { from: 'Olga', text: 'As real as it gets' })
})

t.test('delivers each of a thousand messages once and in order during hand-overs', async (t) => {
  const app = await serve(t, desk)
  const operator = await work(t, app)
  const visitor = await visit(t, app)
  const count = 1000
  const readBy = new Map<string, number[]>()
  visitor.say('human please') // number 1
  await operator.next('waiting', some)
  operator.send(take)

  // Sends the next message after each confirmation, with at least ten in flight, during hand-overs.
  for (let n = 2; n <= 11; n++) visitor.say(`message ${n}`)
  let sent = 11
  let visits = 0
  const moving = (async () => {
    for (;;) {
      const { visitor: id } = await operator.next<{ visitor: number }>('visitor')
      visits++
      operator.send({ topic: 'back', data: id })
      await operator.next('waiting', some)
      operator.send(take)
    }
  })().catch(() => {}) // it is closed at the end
  for (let read = 0; read < count;) {
    const { n, by } = await visitor.next<Got>('got')
    readBy.set(by, [...readBy.get(by) ?? [], n])
    read++
    if (sent < count) visitor.say(++sent % 40 === 0 ? 'human please' : `message ${sent}`)
  }
  operator.close()
  await moving

  const all = [...readBy.values()].flat()
  t.equal(all.length, count)
  t.same(
    all.sort((a, b) => a - b),
    Array.from({ length: count }, (_, n) => n + 1),
    'none is lost or doubled'
  )
  for (const [by, numbers] of readBy) {
    t.same(
      numbers,
      [...numbers].sort((a, b) => a - b),
      `in order, by ${by}`
    )
  }
  t.ok(visits > 5, `handed over ${visits} times`)
  t.same([...readBy.keys()].sort(), ['Bot', 'Olga'])
})

t.test('hands a visitor back to the bot, with the conversation', async (t) => {
  const app = await serve(t, desk)
  const { operator, visitor, id } = await handedOver(t, app)
  visitor.say('It is blue')
  await operator.next('line', from('Ada'))
  operator.send({ topic: 'back', data: id })
  t.match(await operator.next('gone'), { visitor: id, why: /bot/ })
  await visitor.next('with', ({ who }) => who === 'bot')
  visitor.say('hours?')
  t.match(await visitor.next('line', ({ text }: Line) => text.includes('9 to 17')), { from: 'Bot' })

  visitor.say('human please')
  await operator.next('waiting', some)
  operator.send(take)
  const { lines } = await operator.next<{ lines: Line[] }>('file')
  t.same(
    lines.filter(from('Ada')).map(({ text }) => text),
    ['human please', 'It is blue', 'hours?', 'human please']
  )
})

t.test(
  "hands visitors back to the bot when an operator leaves, and ends the operator's process",
  async (t) => {
    const app = await serve(t, desk)
    const { operator, visitor } = await handedOver(t, app)
    const [session] = app.processes.groups.members('operators')
    const ended = app.processes.exited(session)
    operator.close()
    visitor.say('Hello?')
    t.ok(await visitor.next('with', ({ who }) => who === 'bot'))
    t.match(await ended, { reason: 'normal' })
    visitor.say('hours?')
    t.match(await visitor.next('line', ({ text }: Line) => text.includes('9 to 17')), {
      from: 'Bot'
    })
    t.match((await app.inject('/desk/status')).json(), { operators: 0 })
  }
)

t.test('removes a visitor who leaves from the operator\'s list', async (t) => {
  const app = await serve(t, desk)
  const { operator, visitor, id } = await handedOver(t, app)
  visitor.close()
  t.same(await operator.next('gone'), { visitor: id, why: 'left' })
})

t.test('removes a visitor from the queue who asks again during the hand-over', async (t) => {
  const app = await serve(t, desk)
  const visitor = await visit(t, app)
  visitor.say('human please')
  await visitor.next('with', ({ who }) => who === 'queue')
  const pid = app.processes.list().find((pid) => app.processes.info(pid)?.kind === 'ws')!
  // The operator's `take` is in the bot's mailbox right before the visitor's next message.
  const operator = app.processes.spawn(async (self) => {
    self.send('bot', 'take')
    const data = { n: 2, text: 'human!' }
    const message: unknown = { client_pid: pid, type: 'json', topic: 'say', data, metadata: {} }
    self.send('bot', 'ws.message', message as WsMessage)
    await self.serve({
      'ws.join': ({ client_pid }) => {
        self.send(client_pid, 'with', { who: 'human' })
      }
    }, () => {})
  })
  await visitor.next('with', ({ who }) => who === 'human')
  t.equal(app.processes.info(pid)?.target, operator)
  t.match((await app.inject('/desk/status')).json(), { waiting: 0 })
})

t.test('ignores take when no visitor is waiting', async (t) => {
  const app = await serve(t, desk)
  const operator = await work(t, app)
  operator.send(take)
  operator.send({ topic: 'say', data: { visitor: 1, text: 'Hello?' } })
  const visitor = await visit(t, app)
  visitor.say('human please')
  t.equal(await operator.next('waiting'), 1)
})

t.test('drops invalid messages of a client', async (t) => {
  const app = await serve(t, desk)
  const { operator, visitor, id } = await handedOver(t, app)
  for (const frame of ['', '{', 'null', take, { topic: 'back', data: id }]) visitor.send(frame)
  for (const data of [{ text: 'no number' }, { n: 1.5, text: 'x' }, { n: 1, text: '' }]) {
    visitor.send({ topic: 'say', data })
  }
  for (const frame of ['', '{', { topic: 'take', data: 'all' }]) operator.send(frame)
  for (const data of [{ visitor: String(id), text: 'x' }, { n: 1, text: 'I am the visitor' }]) {
    operator.send({ topic: 'say', data })
  }
  visitor.say('valid')
  t.match(await operator.next('line', from('Ada')), { text: 'valid' })
  operator.send({ topic: 'say', data: { visitor: id, text: 'valid, too' } })
  t.match(await visitor.next('line', from('Olga')), { text: 'valid, too' })
})

t.test('refuses an invalid name', async (t) => {
  const app = await serve(t, desk)
  t.equal(await refusal(app, '/desk?name=%00'), 400)
  t.equal(await refusal(app, '/desk/operator'), 400)
})

t.test('answers 426 to a plain GET, and starts no process', async (t) => {
  const app = await serve(t, desk)
  const before = app.processes.list().length
  t.equal((await app.inject('/desk?name=Ada')).statusCode, 426)
  t.equal((await app.inject('/desk/operator?name=Olga')).statusCode, 426)
  t.equal(app.processes.list().length, before)
})

t.test('logs no warning', async (t) => {
  t.strictSame(warnings, [])
})
