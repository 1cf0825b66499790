import { Duplex } from 'node:stream'
import { deflateRawSync } from 'node:zlib'
import t from 'tap'
import { closeCodes } from '../../lib/connection/close-codes.js'
import { negotiate } from '../../lib/websocket/deflate.js'
import { closeFrame, noCode } from '../../lib/websocket/frames.js'
import { WebSocketTransport } from '../../lib/websocket/transport.js'
import { frameOf, closeOf } from '../client-frames.js'
import { until } from '../helpers.js'
import { webSocketServer } from './server.js'
import type { CloseReason } from '../../lib/connection/close-codes.js'

class Pipe extends Duplex {
  readonly sent: Buffer[] = []
  override _read (): void {}
  override _write (chunk: Buffer, _encoding: string, done: () => void): void {
    this.sent.push(chunk)
    done()
  }
}

/** A transport whose owner has room for so many messages, and may close it when the client ends. */
function build ({ deflate = false, room = Infinity, closes = false } = {}) {
  const events: string[] = []
  const state = { room, bytes: 0 }
  const socket = new Pipe()
  const agreed = deflate
    ? negotiate('permessage-deflate; client_no_context_takeover', true, 10_000)
    : undefined
  const transport = new WebSocketTransport({
    server: webSocketServer({ maxFragments: 16 }),
    socket,
    settings: { maxPayload: 10_000, maxBufferedAmount: 1000 },
    deflate: agreed
  })
  transport.open({
    onMessage (message, bytes) {
      state.bytes += bytes
      events.push(message.toString())
      return --state.room > 0
    },
    onTransportEnd (reason: CloseReason) {
      events.push(`${reason.cause} ${reason.code}`)
      if (!closes || events.includes('handed over')) return
      transport.handOver()
      transport.close(reason)
    },
    onHandedOver () { events.push('handed over') },
    onTransportError ({ message }) { events.push(`error ${message}`) },
    onTransportClose () { events.push('closed') }
  })
  return { events, state, socket, transport }
}

/** A reason that sends a close frame. */
const ended: CloseReason = closeCodes.shutdown

const text = (data: string): Buffer => frameOf(1, data)
const packed = (data: string): Buffer =>
  frameOf(1, deflateRawSync(data, { finishFlush: 2 }).subarray(0, -4), { rsv1: true })

t.test('stops when there is no room, and continues when there is', async t => {
  const { events, state, socket, transport } = build({ room: 2 })
  transport.onSocketData(Buffer.concat(['a', 'b', 'c', 'd'].map(text)))
  t.strictSame(events, ['a', 'b'])
  t.equal(transport.isPaused, true)
  t.equal(transport.isBeingRead, false)
  t.equal(socket.isPaused(), true)
  state.room = 1
  transport.resume()
  t.strictSame(events, ['a', 'b', 'c'], 'and stops again')
  state.room = 5
  transport.resume()
  t.strictSame(events, ['a', 'b', 'c', 'd'])
  t.equal(socket.isPaused(), false)
  transport.resume()
  t.equal(events.length, 4, 'it was not stopped')
})

t.test('tells the bytes of a text as they are in UTF-8, inflated', async t => {
  const { events, state, transport } = build({ deflate: true })
  transport.onSocketData(text('äé'))
  t.equal(state.bytes, 4)
  transport.onSocketData(packed('ä'.repeat(1000)))
  await until(() => events.length === 2)
  t.equal(state.bytes, 2004)
})

t.test('counts the bytes of a partial frame', async t => {
  const { transport } = build()
  transport.onSocketData(text('hello').subarray(0, 9))
  t.equal(transport.partialFrameBytes, 9)
  transport.onSocketData(text('hello').subarray(9))
  t.equal(transport.partialFrameBytes, 0)
})

t.test('delivers waiting messages on handOver, even without room', async t => {
  const { events, socket, transport } = build({ room: 1 })
  transport.onSocketData(Buffer.concat([text('a'), text('b')]))
  socket.push(Buffer.concat([text('c'), frameOf(9, 'p'), frameOf(10)]))
  socket.push(closeOf(1000))
  transport.handOver()
  t.strictSame(events, ['a', 'b', 'c', 'client 1000', 'handed over'])
  t.strictSame(socket.sent, [], 'no pong for a client that is leaving')
})

t.test('drops messages up to the close frame of the client when it closes', async t => {
  const { events, socket, transport } = build({ room: 1 })
  transport.onSocketData(Buffer.concat([text('a'), text('b')]))
  transport.close(ended)
  transport.onSocketData(Buffer.concat([text('c'), frameOf(9, 'p')]))
  t.equal(socket.writableEnded, false, 'the client has not answered yet')
  transport.onSocketData(Buffer.concat([closeOf(1001), text('d')]))
  t.equal(socket.writableEnded, true)
  t.strictSame(events, ['a'])
  t.strictSame(socket.sent, [closeFrame(1001, 'server shutting down').bytes])
  socket.push(null)
  await until(() => events.length === 2)
  t.strictSame(events, ['a', 'closed'])
  transport.onSocketData(text('e'))
  t.equal(events.length, 2)
})

t.test('ends the socket after its close frame when the client has closed first', async t => {
  const { events, socket, transport } = build()
  transport.onSocketData(closeOf(4000, 'bye'))
  t.strictSame(events, ['client 4000'])
  transport.handOver()
  transport.close({ ...closeCodes.lost, code: undefined, clientReason: '' })
  t.strictSame(events, ['client 4000', 'handed over'])
  t.strictSame(socket.sent, [closeFrame(noCode, '').bytes])
  t.equal(socket.writableEnded, true)
})

t.test('reports a lost socket, and closes when its owner does', async t => {
  for (const loses of ['ends', 'fails', 'closes']) {
    const { events, socket } = build({ closes: true })
    if (loses === 'ends') socket.push(null)
    else socket.destroy(loses === 'fails' ? new Error('reset') : undefined)
    await until(() => events.includes('closed'))
    if (loses === 'fails') t.equal(events.shift(), 'error reset')
    t.strictSame(events, ['lost undefined', 'handed over', 'closed'])
    t.equal(socket.destroyed, true)
  }
})

t.test('inflates messages one at a time, in order with others', async t => {
  const { events, state, transport } = build({ deflate: true, room: 3 })
  transport.onSocketData(
    Buffer.concat([packed('a'), text('b'), packed('c'), packed('d'), text('e')])
  )
  t.equal(transport.isBeingRead, false)
  transport.resume()
  t.strictSame(events, [], 'the first one is being inflated')
  await until(() => transport.isPaused)
  t.strictSame(events, ['a', 'b', 'c'])
  state.room = Infinity
  transport.resume()
  await until(() => events.includes('e'))
  t.strictSame(events, ['a', 'b', 'c', 'd', 'e'])
})

t.test('inflates all messages on handOver before it reports the end', async t => {
  const { events, socket, transport } = build({ deflate: true, room: 1 })
  transport.onSocketData(Buffer.concat([packed('a'), text('b')]))
  socket.push(Buffer.concat([packed('c'), text('d')]))
  transport.handOver()
  t.strictSame(events, [])
  transport.resume()
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
      const { events, transport } = build({ deflate: true })
      transport.onSocketData(Buffer.concat([bytes, text('b')]))
      if (drains) transport.handOver()
      await until(() => events.length > 0)
      t.strictSame(events, [`protocol ${code}`, ...drains ? ['handed over'] : []])
    }
  }
})

t.test('delivers nothing when it closes while a message is being inflated', async t => {
  const closing = build({ deflate: true })
  closing.transport.onSocketData(packed('a'))
  closing.transport.close(ended)
  closing.transport.onSocketData(closeOf(1000))
  const cut = build({ deflate: true })
  cut.transport.onSocketData(packed('b'))
  cut.transport.close(closeCodes.killed)
  const other = build({ deflate: true })
  other.transport.onSocketData(packed('c'))
  await until(() => other.events.length > 0 && cut.events.length > 0)
  t.strictSame(closing.events, [])
  t.equal(closing.socket.writableEnded, true)
  t.strictSame(cut.events, ['closed'])
})

t.test('inflates what was read when the socket is lost meanwhile', async t => {
  const { events, socket, transport } = build({ deflate: true })
  transport.onSocketData(packed('a'))
  socket.destroy()
  await until(() => events.includes('closed'))
  t.strictSame(events, ['lost undefined', 'closed'])
  transport.handOver()
  await until(() => events.includes('handed over'))
  t.strictSame(events, ['lost undefined', 'closed', 'a', 'handed over'])
  transport.close(closeCodes.lost)
})
