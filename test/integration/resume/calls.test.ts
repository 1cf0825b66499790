// Calls of the client and of the server, over real sockets that are cut after any byte.
import { Type } from '@sinclair/typebox'
import t from 'tap'
import WebSocket from 'ws'
import { createClient } from '../../../lib/client/client.js'
import { Call, protocol } from '../../../lib/protocol/index.js'
import { patient } from '../../client/fixtures/patient.js'
import { build, listen } from '../../helpers.js'
import { Cutter } from './cutter.js'
import type { ClientMessages } from '../../../lib/protocol/index.js'
import type { WebSocketClass } from '../../../types/client.js'

const Numbered = Call({ data: Type.Integer(), reply: Type.String() })
const chat = protocol('chat', { client: { ask: Numbered }, server: { confirm: Numbered } })

t.test('answers each call once, in both directions, over 100 cuts', async (t) => {
  const app = await build(t, { resume: true })
  const asked: number[] = []
  const confirmed: unknown[] = []
  const target = app.processes.spawn<ClientMessages<typeof chat>>(async (self) => {
    await self.serve({
      'ws.message': ({ client_pid: pid, data: n }, { reply, fail }) => {
        asked.push(n)
        // Each call of the client leads to one of the server, and the answer to the latter ends it.
        self.call(pid, 'confirm', n, { timeout: '1h' }).then((answer) => {
          confirmed.push(answer)
          reply(`answer ${n}`)
        }, fail)
      }
    })
  })
  app.get('/ws', (request, reply) => { reply.relay(target, { protocol: chat }).send() })
  const cutter = await Cutter.to(t, await listen(app))
  const socket = createClient<typeof chat>(patient, `ws://127.0.0.1:${cutter.port}/ws`, {
    WebSocket: WebSocket as unknown as WebSocketClass, backoff: { min: 1, max: 5 }
  })
  t.teardown(() => { socket.close() })
  socket.on('reset', ({ why }) => { t.fail(`the session was given up: ${why}`) })
  socket.on('message', (data) => { t.fail(`neither a call nor an answer: ${String(data)}`) })
  const handled: number[] = []
  socket.handle('confirm', async (n) => {
    handled.push(n)
    await new Promise(setImmediate)
    return `yes ${n}`
  })
  const answers: string[] = []
  for (let n = 0; cutter.count <= 100; n += 3) {
    const calls = [n, n + 1, n + 2].map((i) => socket.call('ask', i))
    // Another place of a frame, of a head or of a hello each time.
    cutter.cutAfter(1 + n % 400)
    answers.push(...await Promise.all(calls))
  }
  const numbers = Array.from({ length: answers.length }, (_, n) => n)
  t.strictSame(answers, numbers.map((n) => `answer ${n}`))
  t.strictSame(asked, numbers)
  t.strictSame(handled, numbers)
  t.strictSame(new Set(confirmed), new Set(numbers.map((n) => `yes ${n}`)))
  t.equal(confirmed.length, numbers.length)
})

t.test('tells the client why its call failed', async (t) => {
  const app = await build(t, { resume: true })
  const target = app.processes.spawn<ClientMessages<typeof chat>>(async function room (self) {
    await self.serve({
      'ws.message': ({ data: n }, { fail }) => {
        if (n === 0) fail({ code: 'ROOM_FULL', message: 'the room is full' })
        if (n === 1) fail(new Error('a secret of the server'))
        if (n === 2) self.stop()
      }
    })
  })
  app.log.level = 'silent'
  app.get('/ws', (request, reply) => { reply.relay(target, { protocol: chat }).send() })
  const url = `ws://127.0.0.1:${await listen(app)}/ws`
  const socket = createClient(patient, url, { WebSocket: WebSocket as unknown as WebSocketClass })
  t.teardown(() => { socket.close() })
  const invalid: unknown[] = []
  socket.on('invalid', (event) => { invalid.push(event) })
  await t.rejects(socket.call('ask', 0), { code: 'ROOM_FULL', message: 'the room is full' })
  await t.rejects(socket.call('ask', 1), { code: 'CALL_FAILED', message: 'the call failed' })
  await t.rejects(socket.call('ask', 'x'), { code: 'INVALID_MESSAGE', path: '' })
  await t.rejects(socket.call('tell', 1), { code: 'UNKNOWN_TOPIC' })
  t.strictSame(invalid, [], 'a call has its answer')
  const told = new Promise((resolve) => { socket.on('invalid', resolve) })
  socket.send('ask', 'x')
  t.strictSame(await told, { topic: 'ask', path: '' })
  await t.rejects(socket.call('ask', 2), { code: 'TARGET_EXITED' })
})

t.test('tells the server that the client does not know a topic', async (t) => {
  const app = await build(t, { resume: true })
  let failed = (_error: unknown): void => {}
  const failure = new Promise<unknown>((resolve) => { failed = resolve })
  const target = app.processes.spawn<ClientMessages<typeof chat>>(async (self) => {
    await self.serve({
      'ws.join': ({ client_pid: pid }) => { self.call(pid, 'confirm', 1).catch(failed) }
    }, () => {})
  })
  app.get('/ws', (request, reply) => { reply.relay(target, { protocol: chat }).send() })
  const url = `ws://127.0.0.1:${await listen(app)}/ws`
  const socket = createClient(patient, url, { WebSocket: WebSocket as unknown as WebSocketClass })
  t.teardown(() => { socket.close() })
  t.match(await failure, { cause: { code: 'UNKNOWN_TOPIC' } })
})
