// Bytes that a client sends before it has the response to its upgrade request.
import { Readable } from 'node:stream'
import t from 'tap'
import { used } from '../abuse/support.js'
import { build, frame, handshake, listen, raw, record, until } from '../helpers.js'
import { slow } from './support.js'
import type { Socket } from 'node:net'
import type { Raw } from '../helpers.js'

t.test('delivers frames sent right after the handshake, in order', async (t) => {
  const { target, port, finish, begun } = await slow(t)
  const client = await raw(t, port)
  client.socket.setNoDelay(true)
  client.write(Buffer.concat([Buffer.from(handshake()), frame('1'), frame('2').subarray(0, 3)]))
  await begun
  client.write(frame('2').subarray(3))
  client.write(frame('3'))
  finish()
  for (const data of ['1', '2', '3']) t.equal((await target.next('ws.message')).data, data)
  t.strictSame(
    target.received.map(({ topic }) => topic),
    ['ws.join', 'ws.message', 'ws.message', 'ws.message']
  )
})

t.test('accepts a handshake and frames that arrive byte by byte', async (t) => {
  const { target, port, finish } = await slow(t)
  const client = await raw(t, port)
  client.socket.setNoDelay(true)
  finish()
  for (const byte of Buffer.concat([Buffer.from(handshake()), frame('one'), frame('two')])) {
    client.write(Buffer.from([byte]))
    await new Promise(setImmediate)
  }
  t.equal((await target.next('ws.message')).data, 'one')
  t.equal((await target.next('ws.message')).data, 'two')
})

t.test('pauses a client that sends a lot before its response, and loses nothing', async (t) => {
  const { target, port, finish, begun } = await slow(t)
  const client = await raw(t, port)
  client.write(handshake())
  const { reply: { raw: { socket } } } = await begun
  const count = 4000
  const lot = Buffer.concat(
    Array.from({ length: count }, (_, i) => frame(String(i).padStart(100, '.')))
  )
  client.write(lot)
  await until(() => socket!.isPaused())
  t.ok(socket!.bytesRead < 256 * 1024)
  finish()
  for (let i = 0; i < count; i++) {
    const { data } = await target.next('ws.message')
    if (Number(data.replaceAll('.', '')) !== i) t.fail(`${data} is not ${i}`)
  }
  client.write(frame('after'))
  t.equal((await target.next('ws.message')).data, 'after')
})

t.test(
  'does not reset the connection of a refused client because of its early bytes',
  async (t) => {
    const app = await build(t)
    app.get('/', async (_, reply) => reply.code(403).send('x'.repeat(100_000)))
    const port = await listen(app)
    const client = await raw(t, port)
    client.socket.pause()
    client.write(Buffer.concat([Buffer.from(handshake()), Buffer.alloc(300_000)]))
    await new Promise(setImmediate)
    client.socket.resume()
    t.match(await client.end(), /x{100000}$/)
  }
)

t.test('frees early bytes while an ordinary response is written', async (t) => {
  const clients = 100
  const app = await build(t)
  const sockets: Socket[] = []
  let refuse!: () => void
  const refused = new Promise<void>((resolve) => { refuse = resolve })
  app.get('/', async (request, reply) => {
    sockets.push(request.raw.socket)
    await refused
    const body = new Readable({ read () {} })
    body.push('first')
    return reply.code(403).send(body)
  })
  const port = await listen(app)
  const all: Raw[] = []
  for (let i = 0; i < clients; i++) all.push((await raw(t, port)).write(handshake()))
  await until(() => sockets.length === clients)
  const bytes = Buffer.alloc(60_000)
  for (const client of all) client.write(bytes)
  await until(() => sockets.every((socket) => socket.bytesRead >= bytes.length))
  const before = await used()
  refuse()
  for (const client of all) await client.until(/first/)
  const freed = before - await used()
  t.ok(freed > 4, `${freed.toFixed(1)} of 6 MB were freed`)
  for (const client of all) client.socket.destroy()
})

t.test('relays early frames when the handler replies at once', async (t) => {
  const app = await build(t, { maxHandshakes: 1 })
  const target = record(app)
  app.get('/', (_, reply) => { reply.relay(target.pid).send() })
  const port = await listen(app)
  for (let i = 0; i < 3; i++) {
    const client = await raw(t, port)
    client.write(Buffer.concat([Buffer.from(handshake()), frame(String(i))]))
    await client.until(/101 Switching/)
    t.equal((await target.next('ws.message')).data, String(i))
  }
})
