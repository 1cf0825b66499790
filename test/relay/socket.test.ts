import { Duplex } from 'node:stream'
import t from 'tap'
import { bindSocket, bufferedIn } from '../../lib/relay/socket.js'
import type { Reader } from '../../lib/relay/socket.js'

class Pipe extends Duplex {
  override _read (): void {}
  override _write (_chunk: Buffer, _encoding: string, done: () => void): void { done() }
}

function build (extra: object = {}) {
  const events: string[] = []
  const connection: Reader = {
    receive (bytes: Buffer) { events.push(`bytes ${bytes.toString()}`) },
    receiveLent (bytes, length) { events.push(`bytes ${bytes.toString('latin1', 0, length)}`) },
    drained () { events.push('drained') },
    lost () { events.push('lost') },
    closed () { events.push('closed') },
    failed (err: Error) { events.push(err.message) }
  }
  const socket = Object.assign(new Pipe(), extra)
  return { socket, events, bind: () => { bindSocket(socket, connection) } }
}

function turn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}

t.test('what happens on a socket is told to its connection', async t => {
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

t.test('a socket that was paused is read', async t => {
  const { socket, events, bind } = build()
  socket.pause()
  socket.push('a')
  bind()
  await turn()
  t.strictSame(events, ['bytes a'])
})

t.test('the timeouts of a HTTP server are off, and so is delay', async t => {
  const calls: unknown[] = []
  const { socket, bind } = build({ setTimeout (ms: number) { calls.push(this === socket, ms) }, setNoDelay (on: boolean) { calls.push(on) } })
  bind()
  t.strictSame(calls, [true, 0, true])
})

t.test('connections share their listeners', async t => {
  const [a, b] = [build(), build()]
  a.bind()
  b.bind()
  for (const event of ['data', 'drain', 'end', 'error', 'close']) t.equal(a.socket.listeners(event).at(-1), b.socket.listeners(event).at(-1))
})

t.test('what a paused socket holds is taken out of it, once, also when it is destroyed', async t => {
  for (const destroyed of [false, true]) {
    const { socket, events, bind } = build()
    bind()
    socket.pause()
    socket.push('a')
    socket.push('b')
    if (destroyed) socket.destroy()
    t.equal(Buffer.concat(bufferedIn(socket)).toString(), 'ab')
    t.strictSame(bufferedIn(socket), [])
    socket.resume()
    await turn()
    t.strictSame(events.filter((event) => event.startsWith('bytes')), [])
    t.equal(socket.listenerCount('data'), 1)
  }
})
