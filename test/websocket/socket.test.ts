import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import t from 'tap'
import { attachTransport, takeBufferedChunks, bytesSent } from '../../lib/websocket/socket.js'
import { certificate } from '../fixtures/certificate.js'
import { until } from '../helpers.js'
import type { AddressInfo, Socket } from 'node:net'
import type { SocketReader } from '../../lib/websocket/socket.js'

class Pipe extends Duplex {
  override _read (): void {}
  override _write (_chunk: Buffer, _encoding: string, done: () => void): void { done() }
}

function build (extra: object = {}) {
  const events: string[] = []
  const connection: SocketReader = {
    onSocketData (bytes: Buffer) { events.push(`bytes ${bytes.toString()}`) },
    onBorrowedData (bytes, length) { events.push(`bytes ${bytes.toString('latin1', 0, length)}`) },
    onSocketDrain () { events.push('drained') },
    onSocketEnd () { events.push('lost') },
    onSocketClose () { events.push('closed') },
    onSocketError (err: Error) { events.push(err.message) }
  }
  const socket = Object.assign(new Pipe(), extra)
  return { socket, events, bind: () => { attachTransport(socket, connection) } }
}

function turn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}

t.test('passes the events of a socket to its connection', async t => {
  const { socket, events, bind } = build()
  bind()
  socket.push('a')
  socket.emit('drain')
  socket.push(null)
  await turn()
  socket.destroy(new Error('reset'))
  await turn()
  t.strictSame(events, ['drained', 'bytes a', 'lost', 'reset', 'closed'])
})

t.test('reads a socket that was paused before', async t => {
  const { socket, events, bind } = build()
  socket.pause()
  socket.push('a')
  bind()
  await turn()
  t.strictSame(events, ['bytes a'])
})

t.test('disables the timeouts of the HTTP server and Nagle\'s algorithm', async t => {
  const calls: unknown[] = []
  const { socket, bind } = build({
    setTimeout (ms: number) {
      calls.push(this === socket, ms)
    },
    setNoDelay (on: boolean) {
      calls.push(on)
    }
  })
  bind()
  t.strictSame(calls, [true, 0, true])
})

t.test('connections share their listener functions', async t => {
  const [a, b] = [build(), build()]
  a.bind()
  b.bind()
  for (const event of ['data', 'drain', 'end', 'error', 'close']) {
    t.equal(a.socket.listeners(event).at(-1), b.socket.listeners(event).at(-1))
  }
})

t.test('takes the buffered chunks of a paused socket once, also after destroy', async (t) => {
  for (const destroyed of [false, true]) {
    const { socket, events, bind } = build()
    bind()
    socket.pause()
    socket.push('a')
    socket.push('b')
    if (destroyed) socket.destroy()
    t.equal(Buffer.concat(takeBufferedChunks(socket)).toString(), 'ab')
    t.strictSame(takeBufferedChunks(socket), [])
    socket.resume()
    await turn()
    t.strictSame(
      events.filter((event) => event.startsWith('bytes')),
      []
    )
    t.equal(socket.listenerCount('data'), 1)
  }
})

t.test('reports how much of a large write the kernel has taken', async t => {
  const size = 30_000_000
  for (const isTls of [false, true]) {
    const server = isTls ? createTlsServer(certificate) : createServer()
    t.teardown(() => { server.close() })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const accepted = once(server, isTls ? 'secureConnection' : 'connection')
    const client = isTls
      ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
      : connect({ port, host: '127.0.0.1' })
    t.teardown(() => { client.destroy() })
    const [socket] = await accepted as [Socket]
    t.teardown(() => { socket.destroy() })
    const before = bytesSent(socket)
    socket.write(Buffer.alloc(size))
    // The kernel takes no more: the client does not read.
    let last = -1
    await until(() => {
      const same = last === bytesSent(socket)
      last = bytesSent(socket)
      return same
    })
    t.ok(last - before < size)
    t.ok(socket.writableLength >= size, 'which the stream does not tell')
    client.resume()
    await until(() => bytesSent(socket) > last)
    await until(() => socket.writableLength === 0)
    t.ok(bytesSent(socket) - before >= size)
  }
})

t.test('counts the sent bytes of a plain stream as it drains', async t => {
  const { socket } = build()
  let done: (() => void) | undefined
  socket._write = (_chunk, _encoding, callback) => { done = callback }
  socket.write('12345')
  const before = bytesSent(socket)
  done!()
  await turn()
  t.equal(bytesSent(socket) - before, 5)
  t.equal(bytesSent(Object.assign(new Pipe(), { _handle: {} })), 0)
  t.equal(bytesSent(Object.assign(new Pipe(), { _handle: { bytesWritten: 1 } })), 0)
})
