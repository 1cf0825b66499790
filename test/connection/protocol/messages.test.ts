import t from 'tap'
import { z } from 'zod'
import { parseConfig, parseControl } from '../../../lib/connection/config.js'
import { protocol } from '../../../lib/protocol/index.js'
import { frameOf } from '../../client-frames.js'
import { until } from '../../helpers.js'
import { chat, strictChat, talk } from './chat.js'

t.test('the target gets a valid message under message_topic', async (t) => {
  const { target, client, send } = await talk(t, chat, { metadata: { user: 'ada' } })
  send({ topic: 'note', data: { text: 'hi' } })
  await until(() => target.taken.length === 1)
  const [{ topic, payload }] = target.taken
  t.equal(topic, 'ws.message')
  t.strictSame(payload, {
    client_pid: target.client,
    type: 'json',
    topic: 'note',
    data: { text: 'hi' },
    metadata: { user: 'ada' }
  })
  t.ok(Object.isFrozen(payload.metadata))
  t.ok(client.isOpen)
})

t.test('an own message_topic stays the only topic of the client', async (t) => {
  const { target, send } = await talk(t, chat, { message_topic: 'chat.in' })
  send({ topic: 'typing', data: true })
  await until(() => target.taken.length === 1)
  t.match(target.taken[0], { topic: 'chat.in', payload: { topic: 'typing', data: true } })
})

const invalid: ReadonlyArray<readonly [string, unknown, object, number]> = [
  ['no JSON', '{"topic":', { path: '' }, 1007],
  ['an empty text', '', { path: '' }, 1007],
  ['JSON that is no object', '[1]', { path: '' }, 1008],
  ['null', 'null', { path: '' }, 1008],
  ['no topic', { data: 1 }, { path: '' }, 1008],
  ['a topic that is no string', { topic: 7, data: 1 }, { path: '' }, 1008],
  ['an unknown topic', { topic: 'shout', data: 1 }, { topic: 'shout', path: '' }, 1008],
  ['a topic of every object', { topic: 'toString' }, { topic: 'toString', path: '' }, 1008],
  ['a topic of the server', { topic: 'said', data: { text: '' } }, { topic: 'said', path: '' },
    1008],
  ['a topic of the relay', { topic: 'ws.leave', data: {} }, { topic: 'ws.leave', path: '' }, 1008],
  ['a topic of the system', { topic: '@exit', data: {} }, { topic: '@exit', path: '' }, 1008],
  ['invalid data', { topic: 'note', data: { text: 1 } }, { topic: 'note', path: '/text' }, 1008],
  ['no data', { topic: 'typing' }, { topic: 'typing', path: '' }, 1008],
  ['a long topic', { topic: 'x'.repeat(200) }, { topic: 'x'.repeat(128), path: '' }, 1008],
  ['a long key', { topic: 'note', data: { text: '', ['k'.repeat(200)]: 1 } },
    { topic: 'note', path: `/${'k'.repeat(127)}` }, 1008]
]

t.test('drops what is invalid, counts it and tells a client that speaks v1.ws-relay', async (t) => {
  const { app, lines, target, client, send } = await talk(t, chat, { speaks: true })
  for (const [, message] of invalid) send(message)
  client.write(frameOf(2, 'bytes'))
  send({ topic: 'any' })
  await until(() => target.taken.length === 1)
  await client.until(() => client.reports.length === invalid.length + 1)
  invalid.forEach(([name, , report], i) => { t.strictSame(client.reports[i], report, name) })
  t.strictSame(client.reports.at(-1), { path: '' }, 'a binary frame')
  t.equal(app.processes.stats().invalid, invalid.length + 1)
  t.equal(app.processes.stats().connections.messagesIn, invalid.length + 2)
  const logged = lines.filter(({ msg }) => msg === 'dropped an invalid message of the client')
  t.equal(logged.length, invalid.length + 1)
  t.ok(logged.every(({ level }) => level === 20))
  t.strictSame(client.data, [])
})

t.test('a bare client is not told about a message that is dropped', async (t) => {
  const { app, target, client, send } = await talk(t)
  send({ topic: 'note' })
  send({ topic: 'typing', data: false })
  await until(() => target.taken.length === 1)
  t.equal(app.processes.stats().invalid, 1)
  t.strictSame([client.data, client.reports], [[], []])
})

for (const [name, message, , code] of invalid) {
  t.test(`closes with ${code} for ${name} when invalid is 'close'`, async (t) => {
    const { app, target, client, send, ended } = await talk(t, strictChat)
    send(message)
    send({ topic: 'any', data: 'later' })
    await client.closed()
    t.strictSame(client.close, { code, reason: 'invalid message' })
    const { reason, value } = await ended()
    t.equal(reason, 'protocol_error')
    t.strictSame(value, { code, reason: 'invalid message', cause: 'protocol' })
    await until(() => target.taken.length > 0)
    t.match(target.taken, [{ topic: 'ws.leave', payload: { cause: 'protocol' } }])
    t.equal(app.processes.stats().invalid, 1)
  })
}

t.test("closes with 1008 for a binary frame when invalid is 'close'", async (t) => {
  const { client } = await talk(t, strictChat)
  client.write(frameOf(2, '{"topic":"any"}'))
  await client.closed()
  t.strictSame(client.close, { code: 1008, reason: 'invalid message' })
})

t.test('removes keys that set a prototype, at all levels and however they are spelt', async (t) => {
  const { target, send, data } = await talk(t)
  send('{"topic":"any","data":{"__proto__":{"admin":true},"a":[{"__proto__":1,"b":2}]}}')
  send('{"topic":"any","data":{"constructor":{"prototype":{}},"c":{"constructor":"x"}}}')
  send('{"topic":"any","data":{"\\u005f_proto__":1,"co\\u006estructor":{"prototype":1}}}')
  send('{"topic":"note","data":{"text":"t","__proto__":1}}')
  await until(() => target.taken.length === 4)
  t.equal(JSON.stringify(data()), JSON.stringify([
    { a: [{ b: 2 }] }, { c: { constructor: 'x' } }, {}, { text: 't' }
  ]))
})

t.test('takes a message of any depth', async (t) => {
  const { target, send, data } = await talk(t)
  const depth = 200_000
  send(`{"topic":"any","data":${'['.repeat(depth)}"__proto__"${']'.repeat(depth)}}`)
  await until(() => target.taken.length === 1)
  let level = data()[0]
  let found = 0
  for (; Array.isArray(level); level = level[0]) found++
  t.strictSame([found, level], [depth, '__proto__'])
})

t.test('refuses a message whose schema fails, and warns of the schema', async (t) => {
  const failing = protocol('failing', {
    client: { late: z.string().refine(async () => true), any: z.any() }
  })
  const { lines, target, client, send, data } = await talk(t, failing, { speaks: true })
  send({ topic: 'late', data: 'x' })
  send({ topic: 'any', data: 1 })
  await until(() => target.taken.length === 1)
  t.strictSame(data(), [1])
  await client.until(() => client.reports.length === 1)
  t.strictSame(client.reports, [{ topic: 'late', path: '' }])
  t.match(lines.find(({ level }) => level === 40), {
    msg: 'refused a message of a client, because its schema has failed',
    protocol: 'failing',
    topic: 'late',
    err: { code: 'FST_WS_RELAY_INVALID_OPTIONS' }
  })
})

t.test('tells a client with a limit about an invalid message, if it can be told', async (t) => {
  for (const speaks of [true, false]) {
    const { target, client, send } = await talk(t, chat, { speaks, limit: { messages: '1000/s' } })
    send({ topic: 'typing' })
    send({ topic: 'typing', data: true })
    await until(() => target.taken.length === 1)
    if (speaks) await client.until(() => client.reports.length === 1)
    t.strictSame(client.reports, speaks ? [{ topic: 'typing', path: '' }] : [])
  }
})

t.test('does not tell a client that reads too slowly', async (t) => {
  const { app, target, client, send } = await talk(t, chat, { speaks: true })
  client.socket.pause()
  app.processes.send(target.client, 'ws.send', { data: Buffer.alloc(32 * 1024 * 1024) })
  send({ topic: 'note' })
  send({ topic: 'typing', data: true })
  await until(() => target.taken.length === 1)
  client.socket.resume()
  await client.until(() => client.data.length === 1)
  send({ topic: 'typing' })
  await client.until(() => client.reports.length === 1)
  t.strictSame(client.reports, [{ topic: 'typing', path: '' }])
})

t.test('takes a protocol by reference only', async (t) => {
  const limits = { maxConfigSize: 200, maxMetadataSize: 100 }
  const header = { target_pid: 'target', protocol: chat }
  t.match(parseConfig(header, limits), { ok: true, value: { protocol: { name: 'chat' } } })
  for (const wrong of [
    JSON.stringify(header), { ...header, protocol: 'chat' }, { ...header, protocol: { ...chat } },
    { ...header, protocol: null }
  ]) {
    const problem = /^protocol: expected the value that protocol\(\) returned, by reference/
    t.match(parseConfig(wrong, { ...limits, maxConfigSize: 8192 }), { ok: false, problem })
  }
  t.strictSame(parseControl({ protocol: chat }, limits), { ok: true, value: {} })
})
