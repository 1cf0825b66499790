// The 101: its headers, its subprotocol, and the release of the request after it.
import { EventEmitter, once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Readable } from 'node:stream'
import t from 'tap'
import { answer, build, handshake, listen, open, raw, record, until } from '../helpers.js'
import type { FastifyReply } from 'fastify'
import type { Test } from 'tap'
import { discardBody } from '../../lib/upgrade/reply.js'

/** The 101 or the refusal of an upgrade whose handler sets some headers. */
async function upgraded (
  t: Test, set: (reply: FastifyReply) => unknown, headers = {}
): Promise<string> {
  const app = await build(t)
  const target = record(app)
  app.get('/', async (_, reply) => {
    await set(reply)
    reply.relay(target.pid)
  })
  const client = (await raw(t, await listen(app))).write(handshake('/', headers))
  return await client.until(/\r\n\r\n/)
}

t.test('writes the 101 of RFC 6455', async (t) => {
  const text = await upgraded(t, () => {})
  t.equal(
    text,
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'
  )
})

t.test("includes the reply's headers, except those of a body or of the connection", async (t) => {
  const text = await upgraded(t, (reply) => {
    reply.headers({
      'set-cookie': ['a=1', 'b=2; Path=/'],
      'x-number': 42,
      'x-latin': 'café',
      'content-security-policy': "default-src 'self'",
      'content-type': 'text/plain',
      'content-length': 4,
      'content-encoding': 'gzip',
      etag: '"x"',
      'last-modified': 'now',
      connection: 'close',
      upgrade: 'h2c',
      'transfer-encoding': 'chunked',
      trailer: 'x',
      date: 'today',
      'sec-websocket-accept': 'mine',
      'sec-websocket-extensions': 'permessage-deflate',
      'sec-websocket-version': '13'
    })
    reply.raw.setHeader('X-Raw', 'yes')
    reply.raw.setHeader('x-gone', [])
  })
  const [, ...lines] = text.trim().split('\r\n')
  t.strictSame(lines.sort(), [
    'Connection: Upgrade',
    'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
    'Upgrade: websocket',
    "content-security-policy: default-src 'self'",
    'set-cookie: a=1',
    'set-cookie: b=2; Path=/',
    'x-latin: café',
    'x-number: 42',
    'x-raw: yes'
  ].sort())
})

t.test('refuses a reply header that is not valid HTTP', async (t) => {
  for (const [name, value] of [
    ['x-split', 'a\r\nx-smuggled: 1'],
    ['x-split', 'a\nb'],
    ['x-nul', 'a\0b'],
    ['x-wide', '\u{1F600}'],
    ['set-cookie', ['ok=1', 'bad=\r\nx-smuggled: 1']],
    ['x bad name', '1'],
    ['x-bad\r\nx-smuggled', '1']
  ] as Array<[string, string | string[]]>) {
    const text = await upgraded(t, (reply) => { reply.header(name, value) })
    t.match(text, /^HTTP\/1\.1 500 /, JSON.stringify(value))
    t.match(text, /connection: close/i)
    t.notMatch(text, /^x-smuggled/m)
  }
})

t.test('includes a subprotocol that the handler chose and the client offered', async (t) => {
  for (const [offered, chosen, agreed] of [
    ['chat, superchat', 'superchat', 'superchat'],
    ['chat', 'Chat', undefined],
    ['chat', 'other', undefined],
    ['chat', '', undefined],
    ['chat', undefined, undefined],
    [undefined, 'chat', undefined],
    ['chat, chat', 'chat', undefined],
    ['chat,,', 'chat', undefined],
    [['chat', 'superchat'], 'superchat', 'superchat']
  ] as Array<[string | string[] | undefined, string | undefined, string | undefined]>) {
    const text = await upgraded(
      t,
      (reply) => {
        if (chosen !== undefined) reply.header('Sec-WebSocket-Protocol', chosen)
      },
      { 'sec-websocket-protocol': offered }
    )
    t.match(text, /^HTTP\/1\.1 101 /)
    t.equal(
      /^sec-websocket-protocol: (.*)\r$/im.exec(text)?.[1],
      agreed,
      `${offered} and ${chosen}`
    )
  }
  t.match(
    await upgraded(
      t,
      (reply) => {
        reply.header('sec-websocket-protocol', ['chat'])
      },
      { 'sec-websocket-protocol': 'chat' }
    ),
    /101 [^]*/
  )
})

t.test('agrees on a subprotocol with a ws client', async (t) => {
  const app = await build(t)
  const target = record(app)
  app.get('/', async (_, reply) => {
    reply.header('sec-websocket-protocol', 'chat').relay(target.pid)
  })
  const client = await open(t, `ws://127.0.0.1:${await listen(app)}/`, {}, ['superchat', 'chat'])
  t.equal(client.protocol, 'chat')
})

t.test('includes an extension that was agreed on', async (t) => {
  const app = await build(t, { perMessageDeflate: true })
  const target = record(app)
  app.get('/', async (_, reply) => { reply.relay(target.pid) })
  const port = await listen(app)
  const ask = async (offer: string | undefined) =>
    await (
      await raw(t, port)
    )
      .write(handshake('/', { 'sec-websocket-extensions': offer }))
      .until(/\r\n\r\n/)
  t.match(await ask('permessage-deflate'), /^Sec-WebSocket-Extensions: permessage-deflate\r$/m)
  t.notMatch(await ask(undefined), /extensions/i)
  t.notMatch(await ask('other'), /extensions/i)
})

t.test('removes the headers of the replaced body from a refusal', async (t) => {
  const app = await build(t)
  app.get('/', async (_, reply) => {
    reply.headers({
      'content-encoding': 'gzip',
      etag: '"x"',
      'content-disposition': 'attachment',
      'x-kept': '1',
      'x-ws-relay': '{'
    })
    return 'body'
  })
  const text = await answer(t, await listen(app), handshake())
  t.match(text, /^HTTP\/1\.1 500 /)
  t.match(text, /^x-kept: 1\r$/m)
  t.notMatch(text, /^(content-encoding|etag|content-disposition)/im)
})

t.test('lets request and reply be collected while their connection is open', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const app = await build(t)
  const target = record(app)
  const held: Array<WeakRef<object>> = []
  app.addHook('onTimeout', async () => {})
  app.addHook('onRequestAbort', async (_request) => {})
  app.get('/', async (request, reply) => {
    request.signal.addEventListener('abort', () => request.id)
    held.push(
      new WeakRef(request), new WeakRef(reply), new WeakRef(request.raw), new WeakRef(reply.raw)
    )
    reply.relay(target.pid)
  })
  const port = await listen(app)
  const clients = await Promise.all(
    Array.from({ length: 5 }, async () => await open(t, `ws://127.0.0.1:${port}/`))
  )
  t.equal(held.length, 20)
  await until(() => {
    collect()
    return held.every((ref) => ref.deref() === undefined)
  })
  clients[0].send('hello')
  t.equal(String((await once(clients[0], 'message'))[0]), 'hello')
})

t.test('discards a body that nobody reads', async (t) => {
  const stream = new Readable({ read () {}, destroy (_, done) { done(new Error('late')) } })
  discardBody(stream)
  await new Promise((resolve) => { stream.on('close', resolve) })
  t.ok(stream.destroyed)
  let destroyed = false
  discardBody({ destroy () { destroyed = true } })
  t.ok(destroyed, 'a stream without events is destroyed')
  const locked = new ReadableStream()
  locked.getReader()
  discardBody(locked)
  for (const payload of [undefined, null, 'text', Buffer.from('x'), new EventEmitter()]) {
    t.doesNotThrow(() => {
      discardBody(payload)
    })
  }
})
