import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import chat from '../../examples/chat.js'
import { rooms } from '../../examples/demo/rooms.js'
import { Client, refusal, serve, warnings } from './fixtures/client.js'

interface Line { key: string, name?: string, text: string }
interface Welcome { lines: Line[], again: boolean }

const named = (...names: string[]) => (people: string[]) => people.join() === names.join()

async function enter (t: Test, app: FastifyInstance, room: string, name: string, more = '') {
  const client = await Client.connect(t, app, `/rooms/${room}?name=${name}${more}`)
  await client.next('welcome')
  return client
}

function say (client: Client, text: string, key: string = randomUUID()) {
  client.send({ topic: 'say', data: { key, text } })
}

const isSaid = ({ name }: Line) => name !== undefined

t.test('delivers lines to all people in a room, and to no other room', async (t) => {
  const app = await serve(t, chat)
  const ada = await enter(t, app, 'lobby', 'Ada')
  const grace = await enter(t, app, 'lobby', 'Grace')
  const other = await enter(t, app, 'library', 'Edsger')
  say(ada, 'Good morning')
  for (const client of [ada, grace]) {
    const line = await client.next<Line>('line', isSaid)
    t.match(line, { name: 'Ada', text: 'Good morning' })
  }
  say(other, 'Hush')
  t.match(
    await other.next<Line>('line', isSaid),
    { text: 'Hush' },
    'the first thing said there'
  )
})

t.test('shows who is in a room, who enters and who leaves', async (t) => {
  const app = await serve(t, rooms)
  const ada = await enter(t, app, 'lobby', 'Ada')
  const grace = await enter(t, app, 'lobby', 'Grace')
  await ada.next('line', ({ text }: Line) => text === 'Grace came in')
  await ada.next('people', named('Ada', 'Grace'))
  await grace.next('people', named('Ada', 'Grace'))
  t.match((await app.inject('/rooms')).json(), [{ name: 'lobby', node: 'local', people: 2 }])
  grace.close()
  await ada.next('line', ({ text }: Line) => text === 'Grace left')
  t.ok(await ada.next('people', named('Ada')))
})

t.test('sends earlier lines to a client that enters later', async (t) => {
  const app = await serve(t, chat)
  const ada = await enter(t, app, 'lobby', 'Ada')
  for (let n = 1; n <= 40; n++) say(ada, `line ${n}`)
  await ada.next('line', ({ text }: Line) => text === 'line 40')
  const late = await Client.connect(t, app, '/rooms/lobby?name=Grace')
  const { lines } = await late.next<{ lines: Line[] }>('welcome')
  t.same(lines.map(({ text }) => text), Array.from({ length: 30 }, (_, n) => `line ${n + 11}`))
})

t.test('keeps the people of a room that crashes, and their lines', async (t) => {
  const app = await serve(t, async (app) => { await rooms(app, { archive: new Map() }) })
  const ada = await enter(t, app, 'lobby', 'Ada')
  const grace = await enter(t, app, 'lobby', 'Grace')
  const other = await enter(t, app, 'library', 'Edsger')
  const before = app.processes.names.lookup('@room/lobby')
  const key = '00000000000000aa'
  say(ada, 'before', key)
  await grace.next('line', isSaid)
  say(ada, '/crash')
  for (const client of [ada, grace]) {
    const { again, lines } = await client.next<Welcome>('welcome')
    t.equal(again, true)
    t.same(lines.map(({ text }) => text), ['Ada came in', 'Grace came in', 'before'])
  }
  await grace.next('people', (people: string[]) => people.length === 2)
  say(ada, 'before', key)
  say(ada, 'behind', '00000000000000bb')
  t.match(await grace.next<Line>('line'), { name: 'Ada', text: 'behind' }, 'no line is said twice')
  t.not(app.processes.names.lookup('@room/lobby'), before)
  say(other, 'undisturbed')
  t.match(await other.next('line', isSaid), { text: 'undisturbed' })
})

t.test('forgets the lines of the oldest room when a thousand are kept', async (t) => {
  const archive = new Map(Array.from({ length: 1000 }, (_, n) => [`room-${n}`, [] as Line[]]))
  const app = await serve(t, async (app) => { await rooms(app, { archive }) })
  await enter(t, app, 'lobby', 'Ada')
  t.strictSame(
    ['room-0', 'room-1', 'lobby'].map((name) => archive.has(name)), [false, true, true]
  )
})

t.test('says nothing of a person who comes back with a new session', async (t) => {
  const app = await serve(t, chat)
  const ada = await enter(t, app, 'lobby', 'Ada')
  const grace = await enter(t, app, 'lobby', 'Grace', '&back=true')
  await ada.next('people', named('Ada', 'Grace'))
  say(grace, 'Here I am')
  t.match(await ada.next('line', ({ text }: Line) => text !== 'Ada came in'), { text: 'Here I am' })
})

t.test('keeps other rooms when rooms crash many times', async (t) => {
  const app = await serve(t, chat)
  const other = await enter(t, app, 'library', 'Edsger')
  for (let n = 0; n < 10; n++) {
    const client = await enter(t, app, `room-${n}`, 'Ada')
    say(client, '/crash')
    await client.next('welcome')
  }
  say(other, 'still here')
  t.ok(await other.next('line', ({ text }: Line) => text === 'still here'))
})

t.test('drops invalid messages of a client, and closes one that sends too much', async (t) => {
  const app = await serve(t, chat)
  const ada = await enter(t, app, 'lobby', 'Ada')
  for (const frame of ['', '{', 'null', '[]', { topic: 'crash' }, { topic: 'line', data: {} }]) {
    ada.send(frame)
  }
  for (const data of [{ key: 'a' }, { key: '', text: 'x' }, { key: 'a', text: 1 }]) {
    ada.send({ topic: 'say', data })
  }
  say(ada, '')
  say(ada, 'x'.repeat(501))
  say(ada, 'x'.repeat(500))
  t.match(await ada.next('line', isSaid), { name: 'Ada', text: 'x'.repeat(500) })
  ada.send('x'.repeat(5000))
  t.equal((await ada.closed).code, 1009)
})

t.test('refuses an invalid room name', async (t) => {
  const app = await serve(t, chat)
  for (const path of [
    '/rooms/Lobby?name=Ada',
    '/rooms/a%40b?name=Ada',
    `/rooms/${'x'.repeat(33)}?name=Ada`,
    '/rooms/lobby',
    '/rooms/lobby?name=%0A',
    '/rooms/lobby?name='
  ]) {
    t.equal(await refusal(app, path), 400, path)
  }
  t.match(app.processes.stats().keyed, { room: { started: 0 } })
})

t.test('answers 426 to a plain GET, and starts no room', async (t) => {
  const app = await serve(t, chat)
  t.equal((await app.inject('/rooms/lobby?name=Ada')).statusCode, 426)
  t.match(app.processes.stats().keyed, { room: { started: 0 } })
})

t.test('limits the number of rooms', async (t) => {
  const app = await serve(t, chat)
  const enterAll = Array.from({ length: 100 }, (_, n) => enter(t, app, `room-${n}`, 'Ada'))
  await Promise.all(enterAll)
  t.equal(await refusal(app, '/rooms/one-more?name=Ada'), 503)
  t.ok(await enter(t, app, 'room-7', 'Grace'), 'an existing room can be entered')
})

t.test('logs no warning but the crashes of rooms, and a room too many', async (t) => {
  const others = warnings.filter(({ msg, relayLabel }) => {
    const isCrash = msg === 'a process has failed' && String(relayLabel).startsWith('@room/')
    return !isCrash && !String(msg).includes('too many')
  })
  t.strictSame(others, [])
})
