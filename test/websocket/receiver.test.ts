import { Duplex } from 'node:stream'
import { deflateRawSync } from 'node:zlib'
import t from 'tap'
import { negotiate } from '../../lib/websocket/deflate.js'
import { Receiver } from '../../lib/websocket/receiver.js'
import { attachConnection } from '../../lib/websocket/socket.js'
import { frameOf, closeOf } from '../integration/connection/support.js'
import { until } from '../helpers.js'
import type { Connection } from '../../lib/connection/connection.js'

class Pipe extends Duplex {
  override _read (): void {}
  override _write (_chunk: Buffer, _encoding: string, done: () => void): void { done() }
}

function build ({ deflate = false, room = Infinity } = {}) {
  const events: string[] = []
  const state = { room }
  const listener = {
    onMessage (data: Buffer) {
      events.push(data.toString())
      return --state.room > 0
    },
    onPing (data: Buffer) { events.push(`ping ${data.toString()}`) },
    onPong () { events.push('pong') },
    onCloseFrame (code: number) { events.push(`close ${code}`) },
    onViolation (code: number) { events.push(`violation ${code}`) },
    onReadingResumed () { events.push('resumed') },
    onHandedOver () { events.push('handed over') }
  }
  const socket = new Pipe()
  const agreed = deflate
    ? negotiate('permessage-deflate; client_no_context_takeover', true, 10_000)
    : undefined
  const receiver = new Receiver(listener, socket, 10_000, 16, agreed)
  attachConnection(socket, {
    onSocketData (bytes: Buffer) {
      receiver.receiveChunk(bytes)
    }
  } as unknown as Connection)
  return { events, state, socket, receiver }
}

const text = (data: string): Buffer => frameOf(1, data)
const packed = (data: string): Buffer =>
  frameOf(1, deflateRawSync(data, { finishFlush: 2 }).subarray(0, -4), { rsv1: true })

t.test('stops when there is no room, and continues when there is', async t => {
  const { events, state, socket, receiver } = build({ room: 2 })
  receiver.receiveChunk(Buffer.concat(['a', 'b', 'c', 'd'].map(text)))
  t.strictSame(events, ['a', 'b'])
  t.equal(receiver.isPaused, true)
  t.equal(receiver.isBeingRead, false)
  t.equal(socket.isPaused(), true)
  state.room = 1
  receiver.resume()
  t.strictSame(events, ['a', 'b', 'c'], 'and stops again')
  state.room = 5
  receiver.resume()
  t.strictSame(events, ['a', 'b', 'c', 'd', 'resumed'])
  t.equal(socket.isPaused(), false)
  receiver.resume()
  t.equal(events.length, 5, 'it was not stopped')
})

t.test('counts the bytes of a partial frame', async t => {
  const { receiver } = build()
  receiver.receiveChunk(text('hello').subarray(0, 9))
  t.equal(receiver.partialFrameBytes, 9)
  receiver.receiveChunk(text('hello').subarray(9))
  t.equal(receiver.partialFrameBytes, 0)
})

t.test('delivers waiting messages on handOver, even without room', async t => {
  const { events, socket, receiver } = build({ room: 1 })
  receiver.receiveChunk(Buffer.concat([text('a'), text('b')]))
  socket.push(Buffer.concat([text('c'), frameOf(9, 'p'), frameOf(10)]))
  socket.push(closeOf(1000))
  receiver.handOver()
  t.strictSame(events, ['a', 'b', 'c', 'ping p', 'pong', 'close 1000', 'handed over'])
})

t.test('parses ignored messages up to the close frame', async t => {
  const { events, receiver } = build({ room: 1 })
  receiver.receiveChunk(Buffer.concat([text('a'), text('b')]))
  receiver.ignoreMessages()
  receiver.receiveChunk(Buffer.concat([text('c'), closeOf(4000), text('d')]))
  t.strictSame(events, ['a', 'close 4000'])
  receiver.dispose()
  receiver.receiveChunk(text('e'))
  t.equal(events.length, 2)
})

t.test('inflates messages one at a time, in order with others', async t => {
  const { events, state, receiver } = build({ deflate: true, room: 3 })
  receiver.receiveChunk(
    Buffer.concat([packed('a'), text('b'), packed('c'), packed('d'), text('e')])
  )
  t.equal(receiver.isBeingRead, false)
  receiver.resume()
  t.strictSame(events, [], 'the first one is being inflated')
  await until(() => receiver.isPaused)
  t.strictSame(events, ['a', 'b', 'c'])
  state.room = Infinity
  receiver.resume()
  t.notOk(events.includes('resumed'))
  await until(() => events.includes('e'))
  t.strictSame(events, ['a', 'b', 'c', 'd', 'e'])
})

t.test('inflates all messages on handOver before it reports the end', async t => {
  const { events, socket, receiver } = build({ deflate: true, room: 1 })
  receiver.receiveChunk(Buffer.concat([packed('a'), text('b')]))
  socket.push(Buffer.concat([packed('c'), text('d')]))
  receiver.handOver()
  t.strictSame(events, [])
  receiver.resume()
  await until(() => events.includes('handed over'))
  t.strictSame(events, ['a', 'b', 'c', 'd', 'handed over'])
})

t.test('reports a violation when a message cannot be inflated, also on handOver', async t => {
  for (const [bytes, code] of [
    [frameOf(1, 'not deflated', { rsv1: true }), 1007],
    [packed('x'.repeat(10_001)), 1009],
    [
      frameOf(1, deflateRawSync(Buffer.from([0xff]), { finishFlush: 2 }).subarray(0, -4), {
        rsv1: true
      }),
      1007
    ]
  ] as const) {
    for (const drains of [false, true]) {
      const { events, receiver } = build({ deflate: true })
      receiver.receiveChunk(Buffer.concat([bytes, text('b')]))
      if (drains) receiver.handOver()
      await until(() => events.length > 0)
      t.strictSame(events, drains ? [`violation ${code}`, 'handed over'] : [`violation ${code}`])
    }
  }
})

t.test('emits nothing when it is disposed while it inflates', async t => {
  const { events, receiver } = build({ deflate: true })
  receiver.receiveChunk(packed('a'))
  receiver.dispose()
  const other = build({ deflate: true })
  other.receiver.receiveChunk(packed('b'))
  await until(() => other.events.length > 0)
  const ignoring = build({ deflate: true })
  ignoring.receiver.receiveChunk(packed('c'))
  ignoring.receiver.ignoreMessages()
  ignoring.receiver.receiveChunk(closeOf(1000))
  await until(() => ignoring.events.length > 0)
  t.strictSame(events, [])
  t.strictSame(ignoring.events, ['close 1000'])
})
