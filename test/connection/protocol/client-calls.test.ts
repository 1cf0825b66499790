// Calls of a client to its target, as the bytes of its socket.
import t from 'tap'
import { until } from '../../helpers.js'
import { chat, connect, spawnTarget, strictChat, talk } from './chat.js'
import type { Exit } from '../../../types/messages.js'

const say = { topic: 'say', data: { text: 'hi' } }
const failed = { code: 'CALL_FAILED', message: 'the call failed' }
const exited = { code: 'TARGET_EXITED', message: 'the target has ended' }

function answers (data: readonly string[]): unknown[] {
  return data.map((text) => JSON.parse(text))
}

t.test('a call is answered once, by reply', async (t) => {
  const { target, client, send } = await talk(t)
  send({ ...say, id: 0 })
  send({ ...say, id: Number.MAX_SAFE_INTEGER })
  await until(() => target.taken.length === 2)
  t.match(target.taken[0].payload, { type: 'json', topic: 'say', data: { text: 'hi' } })
  t.notOk('id' in target.taken[0].payload)
  const [first, second] = target.taken
  second.reply({ id: 2 })
  second.reply({ id: 3 })
  second.fail({ code: 'NO', message: 'late' })
  first.reply({ id: 1 })
  await client.until(() => client.data.length === 2)
  t.strictSame(client.data, [
    '{"re":9007199254740991,"data":{"id":2}}', '{"re":0,"data":{"id":1}}'
  ])
})

t.test('serve has reply and fail for a call of a client', async (t) => {
  const { app, client, target, send } = await talk(t)
  const other = app.processes.spawn((self) => self.serve({
    'ws.message': (_payload, message) => { message.reply('served') }
  }))
  t.ok(await app.processes.call(target.client, 'ws.control', { target_pid: other }) === undefined)
  send({ ...say, id: 1 })
  await client.until(() => client.data.length === 1)
  t.strictSame(client.data, ['{"re":1,"data":"served"}'])
})

t.test('writes undefined as null, and bytes as base64', async (t) => {
  const { target, client, send } = await talk(t)
  for (const id of [1, 2]) send({ ...say, id })
  await until(() => target.taken.length === 2)
  target.taken[0].reply()
  target.taken[1].reply(Buffer.from('hi'))
  await client.until(() => client.data.length === 2)
  t.strictSame(client.data, ['{"re":1,"data":null}', '{"re":2,"data":"aGk="}'])
})

t.test('only a plain object with a code and a message reaches the client', async (t) => {
  const { target, client, lines, send } = await talk(t)
  const circle: Record<string, unknown> = { code: 'A', message: 'b' }
  circle.circle = circle
  const secret = new Error('SELECT secret')
  const hidden: unknown[] = [
    secret, Object.assign(new TypeError('x'), { code: 'PRIVATE' }), 'secret', undefined, null,
    { code: 'ONLY' }, { message: 'only' }, { code: 1, message: 'x' }, circle,
    { code: 'A', get message () { throw secret } }, { code: 'A', message: 'b', toJSON () {} },
    Object.assign(Object.create({ inherited: true }), { code: 'A', message: 'b' }),
    new Proxy({}, { getPrototypeOf () { throw secret } })
  ]
  for (let id = 0; id <= hidden.length; id++) send({ ...say, id })
  await until(() => target.taken.length === hidden.length + 1)
  hidden.forEach((error, id) => { target.taken[id].fail(error) })
  const plain = { code: 'FULL', message: 'the room is full', seats: 0 }
  target.taken[hidden.length].fail(plain)
  await client.until(() => client.data.length === hidden.length + 1)
  t.strictSame(answers(client.data), [
    ...hidden.map((_, re) => ({ re, error: failed })), { re: hidden.length, error: plain }
  ])
  const logged = lines.filter(({ msg }) => msg === 'a call of a client has failed')
  t.equal(logged.length, hidden.length)
  t.match(logged[0], { level: 40, topic: 'say', err: { message: 'SELECT secret' } })
  t.notMatch(client.data.join(), /secret|SELECT|PRIVATE/)
})

t.test('an answer that is no JSON is a failed call', async (t) => {
  const { target, client, lines, send } = await talk(t)
  const values = [1n, () => {}, { toJSON () { throw new Error('secret') } }]
  values.forEach((_, id) => { send({ ...say, id }) })
  await until(() => target.taken.length === values.length)
  values.forEach((value, id) => { target.taken[id].reply(value) })
  await client.until(() => client.data.length === values.length)
  t.strictSame(answers(client.data), values.map((_, re) => ({ re, error: failed })))
  t.equal(lines.filter(({ msg }) => msg === 'a call of a client has failed').length, 3)
})

t.test('a handler that does not know the topic fails the call', async (t) => {
  const { app, client, target, send } = await talk(t)
  const deaf = app.processes.spawn((self) => self.serve({}))
  await app.processes.call(target.client, 'ws.control', { target_pid: deaf })
  send({ ...say, id: 1 })
  await client.until(() => client.data.length === 1)
  t.strictSame(answers(client.data), [{ re: 1, error: failed }])
})

t.test('an invalid call is answered with the path, and counted', async (t) => {
  const { app, target, client, send } = await talk(t, chat, { speaks: true })
  send({ topic: 'say', data: { text: 7 }, id: 1 })
  send({ topic: 'say', id: 2 })
  send({ topic: 'shout', data: 1, id: 3 })
  for (const id of [-1, 1.5, '1', null, 2 ** 53, true, {}]) send({ ...say, id })
  await client.until(() => client.reports.length === 7)
  t.strictSame(answers(client.data), [
    { re: 1, error: { code: 'INVALID_MESSAGE', message: 'the message is invalid', path: '/text' } },
    { re: 2, error: { code: 'INVALID_MESSAGE', message: 'the message is invalid', path: '' } },
    { re: 3, error: { code: 'UNKNOWN_TOPIC', message: 'the protocol has no such topic' } }
  ])
  t.equal(app.processes.stats().invalid, 10)
  t.strictSame(target.taken, [])
})

t.test("an invalid call is answered before it closes, with invalid: 'close'", async (t) => {
  const { client, send } = await talk(t, strictChat)
  send({ topic: 'say', data: {}, id: 1 })
  await client.closed()
  t.match(answers(client.data), [{ re: 1, error: { code: 'INVALID_MESSAGE', path: '/text' } }])
  t.strictSame(client.close, { code: 1008, reason: 'invalid message' })
})

t.test('at most 64 calls of one client wait at once', async (t) => {
  const { port, target, client, send } = await talk(t)
  for (let id = 0; id < 66; id++) send({ ...say, id })
  await client.until(() => client.data.length === 2)
  const error = { code: 'TOO_MANY_CALLS', message: 'too many calls wait for their answers' }
  t.strictSame(answers(client.data), [{ re: 64, error }, { re: 65, error }])
  await until(() => target.taken.length === 64)
  target.taken[5].reply('five')
  send({ ...say, id: 66 })
  await until(() => target.taken.length === 65)
  const other = await connect(t, port)
  other.writeText(JSON.stringify({ ...say, id: 64 }))
  await until(() => target.taken.length === 66)
  t.equal(client.data.length, 3)
})

for (const [how, code] of [['normal', 1000], ['crash', 1011]] as const) {
  t.test(`a call ends at once when the target ends (${how}), before the close`, async (t) => {
    const { app, target, client, send } = await talk(t)
    send({ ...say, id: 7 })
    await until(() => target.taken.length === 1)
    app.processes.exit(target.pid, how)
    await client.closed()
    t.strictSame(answers(client.data), [{ re: 7, error: exited }])
    t.strictSame(client.close, { code, reason: 'target process exited' })
    target.taken[0].reply('too late')
  })
}

t.test('the old target may answer after a transfer, and its end ends its calls only', async (t) => {
  const { app, target, client, send } = await talk(t)
  for (const id of [1, 2]) send({ ...say, id })
  await until(() => target.taken.length === 2)
  const next = spawnTarget(app)
  await app.processes.call(target.client, 'ws.control', { target_pid: next.pid })
  send({ ...say, id: 3 })
  send({ topic: 'say', data: 'still checked', id: 4 })
  await until(() => next.taken.length === 1)
  target.taken[0].reply('old')
  app.processes.exit(target.pid, 'crash')
  next.taken[0].reply('new')
  await client.until(() => client.data.length === 4)
  t.match(answers(client.data), [
    { re: 4, error: { code: 'INVALID_MESSAGE' } },
    { re: 1, data: 'old' }, { re: 2, error: exited }, { re: 3, data: 'new' }
  ])
  t.ok(client.isOpen)
})

t.test('a target that is stopping ends its calls when it has ended', async (t) => {
  const { app, client, target, send } = await talk(t)
  let go = (): void => {}
  const slow = app.processes.spawn(async (self) => {
    await self.serve({ 'ws.join': () => { taken = true } })
    await new Promise<void>((resolve) => { go = resolve })
  })
  let taken = false
  await app.processes.call(target.client, 'ws.control', { target_pid: slow })
  await until(() => taken)
  app.processes.cancel(slow)
  send({ ...say, id: 1 })
  await until(() => app.processes.stats().refusedBy.stopping === 1)
  t.strictSame(client.data, [])
  go()
  await client.until(() => client.data.length === 1)
  t.strictSame(answers(client.data), [{ re: 1, error: exited }])
})

t.test('a call to a target that is stopping is not held for its successor', async (t) => {
  const { app, client, target, send } = await talk(t, chat, { on_target_exit: 'park' })
  let go = (): void => {}
  app.processes.spawn(async (self) => {
    await self.serve({ 'ws.join': () => { taken = true } })
    await new Promise<void>((resolve) => { go = resolve })
    throw new Error('it fails at last')
  }, { name: 'slow' })
  let taken = false
  await app.processes.call(target.client, 'ws.control', { target_pid: 'slow' })
  await until(() => taken)
  app.processes.cancel('slow')
  send({ ...say, id: 1 })
  await client.until(() => client.data.length === 1)
  t.strictSame(answers(client.data), [{ re: 1, error: exited }])
  go()
})

t.test('a target that fails with park ends the calls that it took', async (t) => {
  const { app, client, target, send } = await talk(t, chat, { on_target_exit: 'park' })
  send({ ...say, id: 1 })
  await until(() => target.taken.length === 1)
  app.processes.exit('target', 'crash')
  await client.until(() => client.data.length === 1)
  t.strictSame(answers(client.data), [{ re: 1, error: exited }])
  const next = spawnTarget(app, 'target')
  send({ ...say, id: 2 })
  await until(() => next.taken.length === 1)
  next.taken[0].reply('again')
  await client.until(() => client.data.length === 2)
  t.strictSame(answers(client.data).at(-1), { re: 2, data: 'again' })
})

t.test('calls of a client that leaves are forgotten, and an answer vanishes', async (t) => {
  const { app, target, client, send } = await talk(t)
  for (let id = 0; id < 64; id++) send({ ...say, id })
  await until(() => target.taken.length === 64)
  const exit: Promise<Exit> = app.processes.exited(target.client)
  client.socket.destroy()
  t.equal((await exit).reason, 'connection_lost')
  for (const taken of target.taken.slice(0, 64)) taken.reply('late')
  t.equal(app.processes.stats().connections.messagesOut, 0)
})

t.test('a call counts for the bytes of a mailbox until it is taken', async (t) => {
  const { app, client, target } = await talk(t)
  const gate = { open: (): void => {} }
  const closed = new Promise<void>((resolve) => { gate.open = resolve })
  const handled: unknown[] = []
  const big = app.processes.spawn((self) => self.serve({
    'ws.message': async ({ data }, message) => {
      await closed
      handled.push(String(data).length)
      message.reply(1)
    }
  }))
  await app.processes.call(target.client, 'ws.control', { target_pid: big })
  const data = 'x'.repeat(1024 * 1000)
  for (let id = 0; id < 20; id++) client.writeText(JSON.stringify({ topic: 'any', data, id }))
  await until(() => app.processes.stats().connections.paused === 1)
  gate.open()
  await client.until(() => client.data.length === 20)
  t.equal(handled.length, 20)
})
