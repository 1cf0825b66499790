import { once } from 'node:events'
import { connect, createServer, Socket, type AddressInfo } from 'node:net'
import { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { findOnReadFields, useSharedBuffer, sharedBuffer } from '../../lib/websocket/read-buffer.js'
import { until } from '../helpers.js'

/** Both ends of a TCP connection. The server's end is paused. */
async function pair (t: Test): Promise<{ client: Socket, socket: Socket }> {
  const server = createServer({ pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [socket] = await once(server, 'connection') as [Socket]
  t.teardown(() => {
    client.destroy()
    socket.destroy()
    server.close()
  })
  return { client, socket }
}

t.test('reads a socket into the shared buffer until its end, with pauses', async t => {
  const { client, socket } = await pair(t)
  const reads: string[] = []
  const buffers = new Set<Buffer>()
  useSharedBuffer(socket, function (length, buffer) {
    t.equal(this, socket)
    buffers.add(buffer)
    reads.push(buffer.toString('latin1', 0, length))
    if (reads.join('') === 'ab') socket.pause()
  })
  socket.on('data', () => { t.fail('as a stream') })
  socket.resume()
  client.write('a')
  await until(() => reads.length === 1)
  client.write('b')
  await until(() => reads.length === 2)
  t.equal(buffers.size, 1)
  client.end('c')
  await once(client, 'finish')
  t.strictSame(reads, ['a', 'b'])
  socket.resume()
  await once(socket, 'end')
  t.strictSame(reads, ['a', 'b', 'c'])
})

t.test('shares one buffer between two sockets', async t => {
  const buffers = new Set<Buffer>()
  let reads = 0
  for (const { client, socket } of [await pair(t), await pair(t)]) {
    useSharedBuffer(socket, (_length, buffer) => {
      reads++
      buffers.add(buffer)
    })
    socket.resume()
    client.write('x')
  }
  await until(() => reads === 2)
  t.equal(buffers.size, 1)
})

t.test('reads a socket as a stream when it cannot use the shared buffer', async t => {
  const never = (): void => { t.fail('read into the buffer') }
  const { client, socket } = await pair(t)
  useSharedBuffer(socket, never, null)
  useSharedBuffer(socket, never, Buffer.alloc(10), null)
  useSharedBuffer(socket, never, Buffer.alloc(10), {
    buffer: Symbol('elsewhere'),
    callback: Symbol('elsewhere')
  })
  socket.resume()
  client.write('as a stream')
  t.equal(String((await once(socket, 'data'))[0]), 'as a stream')
  const stream = new Duplex({ read () {}, write (_chunk, _encoding, done) { done() } })
  useSharedBuffer(stream, never)
  useSharedBuffer(new Socket(), never)
  stream.push('a')
  t.equal(String((await once(stream, 'data'))[0]), 'a')
})

t.test('shares no buffer on Windows', async t => {
  t.equal(sharedBuffer('win32'), null)
  t.equal(sharedBuffer('linux')?.length, 65536)
})

t.test('finds the symbols of onread in a socket of Node, and in no other object', async t => {
  const slots = findOnReadFields(new Socket())
  t.equal(slots?.buffer.description, 'kBuffer')
  t.equal(slots?.callback.description, 'kBufferCb')
  t.equal(findOnReadFields({}), null)
  t.equal(findOnReadFields({ [Symbol('kBuffer')]: null }), null)
})
