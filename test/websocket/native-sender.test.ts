// The batch of one loop iteration: which sockets take part, and what becomes of their bytes.
import t from 'tap'
import { once } from 'node:events'
import { constants } from 'node:os'
import { NativeSender, isPlainTcp } from '../../lib/websocket/native-sender.js'
import { NativeBatch } from '../../lib/websocket/native-batch.js'
import { Sender, type Flusher } from '../../lib/websocket/sender.js'
import { WebSocketTransport } from '../../lib/websocket/transport.js'
import { Sink, turn } from './sink.js'
import { batchedServer, Pairs, sendManyInScript } from './native.js'
import { Slice } from '../../lib/shared/slice.js'
import type { Socket } from 'node:net'
import type { SendMany } from '../../lib/websocket/native.js'

interface Entry { readonly fd: number, readonly offset: number, readonly length: number }

/** @param limit bytes that it sends of each entry; undefined for all; 0 for `EAGAIN` */
function recorder (limit?: () => number): { sendMany: SendMany, calls: Entry[][] } {
  const calls: Entry[][] = []
  return {
    calls,
    sendMany (entries, count, bytes) {
      const call: Entry[] = []
      for (let i = 0; i < count * 3; i += 3) {
        const [fd, offset, length] = entries.subarray(i, i + 3)
        call.push({ fd, offset, length })
        const allowed = limit?.() ?? length
        entries[i + 2] = Math.min(allowed, length)
        if (allowed > 0) sendManyInScript(entries.subarray(i, i + 3), 1, bytes)
        else entries[i + 2] = -constants.errno.EAGAIN
      }
      calls.push(call)
    }
  }
}

/** The next bytes of a client. */
async function received (client: Socket, length: number): Promise<string> {
  const chunks: string[] = []
  let missing = length
  client.setEncoding('latin1')
  const done = new Promise<void>((resolve) => {
    client.on('data', (chunk: string) => {
      chunks.push(chunk)
      missing -= chunk.length
      if (missing <= 0) resolve()
    })
  })
  await done
  return chunks.join('')
}

interface Peer { socket: Socket, client: Socket, sender: NativeSender }

async function build (
  t: { teardown (task: () => void): void }, sendMany: SendMany, count = 1
): Promise<{ flusher: Flusher, peers: Peer[] }> {
  const { flusher } = batchedServer(sendMany)
  const pairs = await Pairs.open(t)
  const peers: Peer[] = []
  for (let i = 0; i < count; i++) {
    const { socket, client } = await pairs.connect()
    t.teardown(() => { socket.destroy(); client.destroy() })
    if (!isPlainTcp(socket)) throw new Error('it is no TCP socket')
    const sender = new NativeSender(socket, flusher)
    socket.on('drain', () => { sender.socketDrained() })
    peers.push({ socket, client, sender })
  }
  return { flusher, peers }
}

t.test('sends for all sockets in one call, with one copy of the same chunk', async (t) => {
  const { sendMany, calls } = recorder()
  const { peers, flusher } = await build(t, sendMany, 4)
  const [shared, a, b] = ['shared', 'aa', 'b'].map((text) => new Slice(Buffer.from(text)))
  const written: number[] = []
  for (const [i, { sender }] of peers.entries()) {
    if (i < 2) sender.sendEncoded(shared, () => { written.push(i) })
    else for (const frame of [a, b]) sender.sendEncoded(frame)
  }
  t.equal(peers[0].sender.bufferedBytes, 6)
  await turn()
  t.strictSame(calls.map((call) => call.map(({ offset, length }) => [offset, length])), [
    [[0, 6], [0, 6], [6, 3], [6, 3]]
  ])
  t.strictSame(written, [0, 1])
  const texts = await Promise.all(
    peers.map(({ client }, i) => received(client, i < 2 ? 6 : 3)))
  t.strictSame(texts, ['shared', 'shared', 'aab', 'aab'])
  for (const { socket, sender } of peers) {
    t.equal(sender.bufferedBytes, 0)
    t.equal(socket.bytesWritten, 0, 'Node does not know of them')
  }
  t.equal(peers[3].sender.sentByBatch, 3)
  t.equal(flusher.traffic.bytesOut, 18)
})

t.test('sends a chunk once to a sender that is listed twice', async (t) => {
  const { sendMany, calls } = recorder()
  const { peers: [{ sender, client }], flusher } = await build(t, sendMany)
  for (const text of ['first', 'second']) {
    sender.sendEncoded(new Slice(Buffer.from(text)))
    t.equal(sender.allowsBurst(1), true)
    flusher.batch!.sendAll([sender, sender])
    await turn()
  }
  t.equal(await received(client, 11), 'firstsecond')
  t.strictSame(calls.map((call) => call.length), [1, 1])
})

t.test('leaves a chunk above the limit to the socket', async (t) => {
  const { sendMany, calls } = recorder()
  const { peers: [{ sender, socket, client }], flusher } = await build(t, sendMany)
  // Node has taken all bytes of the socket, and has not told so yet.
  Object.defineProperty(socket, 'writableNeedDrain', { value: true, configurable: true })
  sender.sendEncoded(new Slice(Buffer.alloc(64 * 1024 + 1, 'x')))
  flusher.batch!.sendAll([sender])
  t.strictSame(calls, [])
  Reflect.deleteProperty(socket, 'writableNeedDrain')
  sender.socketDrained()
  t.equal((await received(client, 64 * 1024 + 1)).length, 64 * 1024 + 1)
})

t.test('leaves the rest of a chunk to the socket, in order', async (t) => {
  const limits = [3, 0, 100, 1]
  const { sendMany } = recorder(() => limits.shift()!)
  const { peers: [{ sender, client, socket }] } = await build(t, sendMany)
  const written: string[] = []
  for (const text of ['first', 'second', 'third', 'fourth']) {
    sender.sendEncoded(new Slice(Buffer.from(text)), () => { written.push(text) })
    await turn()
  }
  t.equal(await received(client, 22), 'firstsecondthirdfourth')
  t.strictSame(written, ['first', 'second', 'third', 'fourth'])
  t.equal(sender.sentByBatch, 3 + 0 + 5 + 1)
  t.equal(sender.sentByBatch + socket.bytesWritten, 22)
})

t.test('calls back for a frame when it is taken, not when the rest before it is', async (t) => {
  const limits = [5, 3]
  const { sendMany } = recorder(() => limits.shift()!)
  const { peers: [first, { sender, socket, client }] } = await build(t, sendMany, 2)
  const written: string[] = []
  first.sender.sendEncoded(new Slice(Buffer.from('first')), () => {
    socket.cork()
    sender.sendEncoded(new Slice(Buffer.from(' later')), () => { written.push('later') })
  })
  sender.sendEncoded(new Slice(Buffer.from('second')), () => { written.push('second') })
  await turn()
  await turn()
  t.strictSame(written, [], 'the socket is corked')
  if (!t.equal(socket.writableLength, 6)) return
  socket.uncork()
  t.equal(await received(client, 12), 'second later')
  t.strictSame(written, ['second', 'later'])
})

t.test('writes by its socket in the loop iteration after a batch', async (t) => {
  const { sendMany, calls } = recorder()
  const { peers: [{ sender, socket }] } = await build(t, sendMany)
  sender.sendEncoded(new Slice(Buffer.from('batched')))
  await turn()
  t.equal(calls.length, 1)
  socket.cork()
  sender.sendEncoded(new Slice(Buffer.from('written')))
  await turn()
  t.equal(calls.length, 1)
  t.equal(socket.writableLength, 7)
})

t.test('does not send while the socket has bytes of its own, or is ending', async (t) => {
  const { sendMany, calls } = recorder()
  const { peers, flusher } = await build(t, sendMany, 4)
  const [corked, ended, destroyed, large] = peers
  corked.socket.cork()
  ended.socket.end('end')
  destroyed.socket.destroy()
  for (const { sender } of peers) sender.sendEncoded(new Slice(Buffer.from('frame')))
  const sink = new Sink()
  new Sender(sink, flusher).sendEncoded(new Slice(Buffer.from('stream')))
  large.sender.sendEncoded(new Slice(Buffer.alloc(5000, 'x')))
  large.sender.sendEncoded(new Slice(Buffer.alloc(5000, 'x')))
  await turn()
  t.strictSame(calls, [])
  t.equal(sink.bytes, 'stream')
  t.equal(await received(large.client, 10_005), `frame${'x'.repeat(10_000)}`)
  corked.sender.sendEncoded(new Slice(Buffer.from('!')))
  await turn()
  corked.socket.uncork()
  await turn()
  t.equal(await received(corked.client, 6), 'frame!')
  t.equal(await received(ended.client, 3), 'end')
})

t.test('sends in each turn what nobody waits for, also without the batch', async (t) => {
  const { sendMany, calls } = recorder()
  const { peers: [{ sender, client }] } = await build(t, sendMany)
  const large = 'x'.repeat(65 * 1024)
  for (const text of ['a', 'b', large, 'c']) {
    sender.sendEncoded(new Slice(Buffer.from(text)))
    await turn()
  }
  t.equal(calls.length, 3, 'one was too large')
  t.equal(await received(client, large.length + 3), `ab${large}c`)
})

t.test('sends the pong that was late when the batch has made room', async (t) => {
  const { sendMany } = recorder()
  const { peers: [{ sender, client }] } = await build(t, sendMany)
  sender.sendEncoded(new Slice(Buffer.from('frame')))
  sender.latePong = new Slice(Buffer.from('pong'))
  await turn()
  await turn()
  t.equal(await received(client, 9), 'framepong')
})

t.test('forgets that bytes had to wait when the kernel has taken all since', async (t) => {
  const { sendMany } = recorder()
  const { peers: [{ sender, socket, client }] } = await build(t, sendMany)
  let sent = 0
  for (; socket.writableLength === 0; sent += 5000) {
    sender.sendEncoded(new Slice(Buffer.alloc(5000, 'x')))
    await turn()
  }
  t.equal(sender.allowsBurst(1), false, 'bytes of an earlier turn wait')
  await received(client, sent)
  // So few bytes are written without a `drain` of the socket.
  while (socket.writableLength > 0) await turn()
  sender.sendEncoded(new Slice(Buffer.from('x')))
  await turn()
  t.equal(sender.allowsBurst(1), true)
})

t.test('waits while the kernel takes no more, and keeps the order', async (t) => {
  const { sendMany } = recorder()
  const { peers: [{ sender, client, socket }] } = await build(t, sendMany)
  const parts: string[] = []
  for (let i = 0; socket.writableLength === 0; i++) {
    parts.push(String(i).padEnd(60_000, '.'))
    sender.sendEncoded(new Slice(Buffer.from(parts.at(-1)!)))
    await turn()
  }
  parts.push('last')
  sender.sendEncoded(new Slice(Buffer.from('last')))
  t.ok(sender.bufferedBytes > 4)
  const expected = parts.join('')
  t.equal(await received(client, expected.length), expected)
})

t.test('splits a batch that is too large for one call', async (t) => {
  const { sendMany, calls } = recorder()
  const { peers } = await build(t, sendMany, 10)
  const chunks = peers.map((_, i) => Buffer.alloc(60_000, String(i)))
  for (const [i, { sender }] of peers.entries()) sender.sendEncoded(new Slice(chunks[i]))
  await turn()
  t.strictSame(calls.map((call) => call.length), [4, 4, 2])
  for (const [i, { client }] of peers.entries()) {
    t.equal(await received(client, 60_000), String(i).repeat(60_000))
  }
})

t.test('has at most 1024 entries in a call', async (t) => {
  const { sendMany, calls } = recorder()
  const { peers: [{ socket }], flusher } = await build(t, sendMany)
  const frame = new Slice(Buffer.from('frame'))
  class Endless extends NativeSender {
    override get descriptor (): number { return -1 }
    override chunkForBatch (): Slice { return frame }
    override batchSent (): void {}
  }
  const same = Array.from({ length: 1025 }, () => new Endless(socket as never, flusher))
  flusher.batch!.sendAll(same)
  t.strictSame(calls.map((call) => call.length), [1024, 1])
})

t.test('calls back after all sockets were written', async (t) => {
  const { sendMany } = recorder()
  const { peers: [first, second] } = await build(t, sendMany, 2)
  first.sender.sendEncoded(new Slice(Buffer.from('one')), () => {
    second.sender.sendEncoded(new Slice(Buffer.from(' three')))
    first.socket.destroy()
  })
  first.sender.sendEncoded(new Slice(Buffer.from('!')), () => {})
  second.sender.sendEncoded(new Slice(Buffer.from('two')), () => {})
  await turn()
  t.equal(await received(first.client, 4), 'one!')
  t.equal(await received(second.client, 9), 'two three')
})

t.test('a socket gets the error that the kernel reports once', async (t) => {
  const { peers: [reset, other] } = await build(t, sendManyInScript, 2)
  // Nothing reads the socket before its frame is sent: the reset is not known yet.
  reset.socket.pause()
  const failed = once(reset.socket, 'error') as Promise<[NodeJS.ErrnoException]>
  reset.client.resetAndDestroy()
  reset.sender.sendEncoded(new Slice(Buffer.from('frame')), () => { t.fail('it was not sent') })
  other.sender.sendEncoded(new Slice(Buffer.from('frame')))
  const [{ message, code, errno, syscall }] = await failed
  t.strictSame({ message, code, errno, syscall }, {
    message: 'write ECONNRESET',
    code: 'ECONNRESET',
    errno: -constants.errno.ECONNRESET,
    syscall: 'write'
  })
  t.ok(reset.socket.destroyed)
  t.equal(reset.sender.sentByBatch, 0)
  t.equal(await received(other.client, 5), 'frame')
})

t.test('another error is left to the socket', async (t) => {
  const { peers: [{ client, sender }] } = await build(t, (entries) => {
    entries[2] = -constants.errno.ENOBUFS
  })
  let written = 0
  sender.sendEncoded(new Slice(Buffer.from('frame')), () => { written++ })
  await turn()
  t.equal(await received(client, 5), 'frame')
  t.equal(written, 1)
})

t.test('foreign code that closes a socket does not stop the others', async (t) => {
  const { peers } = await build(t, (entries, count) => {
    for (let i = 0; i < count * 3; i += 3) entries[i + 2] = -constants.errno.EAGAIN
  }, 7)
  const [{ socket: intercepted }] = peers
  const { write } = intercepted
  intercepted.write = (...args: unknown[]) => {
    peers[4].socket.destroy()
    return write.apply(intercepted, args as never)
  }
  // They exceed the bytes of one call.
  for (const { sender } of peers) sender.sendEncoded(new Slice(Buffer.alloc(60_000, 'x')))
  await turn()
  for (const [i, { client }] of peers.entries()) {
    if (i !== 4) t.equal((await received(client, 60_000)).length, 60_000)
  }
})

t.test('is used for TCP without TLS and compression only', async (t) => {
  const server = batchedServer(sendManyInScript)
  const pairs = await Pairs.open(t)
  const { socket, client } = await pairs.connect()
  t.teardown(() => { socket.destroy(); client.destroy() })
  const settings = { maxPayload: 100, maxBufferedAmount: 100 }
  const open = (options: object): WebSocketTransport => {
    return new WebSocketTransport({ server, socket, settings, deflate: undefined, ...options })
  }
  const transport = open({})
  t.ok(transport.writer instanceof NativeSender)
  transport.writer.sendEncoded(new Slice(Buffer.from('frame')))
  await turn()
  t.equal(transport.bytesSent, 5)
  t.notOk(open({ socket: new Sink() }).writer instanceof NativeSender)
  const codec = { cleanup () {} }
  t.notOk(open({ deflate: { codec, threshold: 0 } }).writer instanceof NativeSender)
  t.notOk(isPlainTcp(Object.assign(Object.create(socket) as Socket, { encrypted: true })))
  socket.destroy()
  t.notOk(isPlainTcp(socket))
  server.flusher.batch = undefined
  const { socket: other, client: peer } = await pairs.connect()
  t.teardown(() => { other.destroy(); peer.destroy() })
  t.notOk(open({ socket: other }).writer instanceof NativeSender)
  t.ok(new NativeBatch(sendManyInScript))
})
