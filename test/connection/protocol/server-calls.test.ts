// Calls of processes to a client, as the bytes of its socket.
import t from 'tap'
import { until } from '../../helpers.js'
import { chat, strictChat, talk } from './chat.js'
import type { Talk } from './chat.js'
import type { CallOptions } from '../../../types/options.js'

const question = { text: 'Really?' }

/** Calls `confirm`. A failure is a value, so that it may come at any time. */
function confirm ({ app, target }: Talk, options?: CallOptions): Promise<unknown> {
  return app.processes.call(target.client, 'confirm', question, options)
    .catch((err: unknown) => ({ err }))
}

t.test('a call is answered by the client, by its id', async (t) => {
  const chatting = await talk(t)
  const { client, send, target } = chatting
  const calls = [confirm(chatting), confirm(chatting)]
  await client.until(() => client.data.length === 2)
  t.strictSame(client.data, [
    '{"topic":"confirm","data":{"text":"Really?"},"id":1}',
    '{"topic":"confirm","data":{"text":"Really?"},"id":2}'
  ])
  send({ re: 2, data: false })
  send({ re: 1, data: true })
  t.strictSame(await Promise.all(calls), [true, false])
  send({ re: 1, data: true })
  send({ re: 99, data: 'nobody asked' })
  send({ topic: 'typing', data: true })
  await until(() => target.taken.length === 1)
  t.match(target.taken, [{ payload: { topic: 'typing' } }])
  t.equal(chatting.app.processes.stats().invalid, 0)
})

t.test('a process calls its client with self.call', async (t) => {
  const { app, client, send, target } = await talk(t)
  const answered = new Promise((resolve) => {
    app.processes.spawn(async (self) => {
      resolve(await self.call(target.client, 'confirm', question, { timeout: '30s' }))
    })
  })
  await client.until(() => client.data.length === 1)
  send({ re: 1, data: true })
  t.equal(await answered, true)
})

t.test('an error of the client is the cause of the failure', async (t) => {
  const chatting = await talk(t)
  const call = confirm(chatting)
  await chatting.client.until(() => chatting.client.data.length === 1)
  const error = { code: 'UNKNOWN_TOPIC', message: 'there is no handler' }
  chatting.send({ re: 1, error: { ...error, stack: 'x' } })
  const { err } = await call as { err: Error }
  t.match(err, { code: 'FST_PROCESS_CALL_FAILED' })
  t.strictSame(err.cause, error)
})

for (const [name, answer, path] of [
  ['data that the schema refuses', { data: 'yes' }, ''],
  ['no data', {}, ''],
  ['an error that is no error', { error: 'no' }, ''],
  ['an error without a message', { error: { code: 'A' } }, ''],
  ['null as an error', { error: null }, '']
] as const) {
  t.test(`an answer with ${name} fails the call, and is an invalid message`, async (t) => {
    const chatting = await talk(t, chat, { speaks: true })
    const { app, client, target, send } = chatting
    const call = confirm(chatting)
    await client.until(() => client.data.length === 1)
    send({ re: 1, ...answer })
    const { err } = await call as { err: Error }
    t.match(err, { code: 'FST_PROCESS_CALL_FAILED', cause: TypeError })
    await client.until(() => client.reports.length === 1)
    t.strictSame(client.reports, [{ topic: 'confirm', path }])
    t.equal(app.processes.stats().invalid, 1)
    t.strictSame(target.taken, [])
  })
}

t.test("an invalid answer closes with invalid: 'close'", async (t) => {
  const chatting = await talk(t, strictChat)
  const call = confirm(chatting)
  await chatting.client.until(() => chatting.client.data.length === 1)
  chatting.send({ re: 1, data: 1 })
  await chatting.client.closed()
  t.strictSame(chatting.client.close, { code: 1008, reason: 'invalid message' })
  t.match(await call, { err: { code: 'FST_PROCESS_CALL_FAILED' } })
})

t.test('a message with an invalid `re` is no answer', async (t) => {
  const { app, client, send } = await talk(t, chat, { speaks: true })
  for (const re of [-1, '1', null, 0.5]) send({ re, data: true })
  await client.until(() => client.reports.length === 4)
  t.equal(app.processes.stats().invalid, 4)
})

t.test('rejects at once when the connection ends', async (t) => {
  const chatting = await talk(t)
  const call = confirm(chatting)
  await chatting.client.until(() => chatting.client.data.length === 1)
  chatting.client.socket.destroy()
  t.match(await call, { err: { code: 'FST_PROCESS_CALL_FAILED', message: /connection_lost/ } })
})

t.test('a call that has timed out is forgotten, and its answer vanishes', async (t) => {
  const chatting = await talk(t)
  const { client, send, target } = chatting
  t.match(await confirm(chatting, { timeout: 1 }), { err: { code: 'FST_PROCESS_CALL_TIMEOUT' } })
  const aborting = new AbortController()
  const aborted = confirm(chatting, { signal: aborting.signal })
  await client.until(() => client.data.length === 2)
  aborting.abort(new Error('enough'))
  t.match(await aborted, { err: { message: 'enough' } })
  for (const re of [1, 2]) send({ re, data: 'not even a boolean' })
  send({ topic: 'typing', data: true })
  await until(() => target.taken.length === 1)
  t.equal(chatting.app.processes.stats().invalid, 0)
})

t.test('only topics that are declared with Call are calls, all others as ever', async (t) => {
  const { app, client, target } = await talk(t)
  const { processes } = app
  t.equal(await processes.call(target.client, 'said', { text: 'x' }), undefined)
  t.equal(await processes.call(target.client, 'other', 1), undefined)
  t.equal(await processes.call(target.client, 'ws.send', { data: 'plain' }), undefined)
  t.ok(processes.send(target.client, 'confirm', question))
  await client.until(() => client.data.length === 4)
  t.strictSame(client.data, [
    '{"topic":"said","data":{"text":"x"}}', '{"topic":"other","data":1}', 'plain',
    '{"topic":"confirm","data":{"text":"Really?"}}'
  ])
})

t.test('a payload that cannot be written as JSON is refused', async (t) => {
  const { app, target, client } = await talk(t)
  const { processes } = app
  for (const payload of [1n, () => {}, { toJSON () { throw new Error('no') } }]) {
    await t.rejects(processes.call(target.client, 'confirm', payload), {
      code: 'FST_WS_RELAY_INVALID_PAYLOAD'
    })
  }
  const call = processes.call(target.client, 'confirm')
  await client.until(() => client.data.length === 1)
  t.strictSame(client.data, ['{"topic":"confirm","data":null,"id":1}'])
  client.writeText('{"re":1,"data":true}')
  t.equal(await call, true)
})

t.test('a client that reads too slowly is not called', async (t) => {
  const { app, target, client } = await talk(t, chat, {}, { overflow: 'drop' })
  client.socket.pause()
  app.processes.send(target.client, 'ws.send', { data: Buffer.alloc(32 * 1024 * 1024) })
  await t.rejects(app.processes.call(target.client, 'confirm', question), {
    code: 'FST_PROCESS_REFUSED'
  })
})

t.test('forwardTopics: false refuses the call', async (t) => {
  const { app, target } = await talk(t, chat, {}, { forwardTopics: false })
  const refused = { code: 'FST_PROCESS_REFUSED' }
  await t.rejects(app.processes.call(target.client, 'confirm', question), refused)
})
