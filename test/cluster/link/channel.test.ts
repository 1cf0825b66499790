import t from 'tap'
import { Channel } from '../../../lib/cluster/link/channel.js'
import {
  batchTypes, decodeFrames, decodeNumber, encodeChannelHeader, encodeFrame, encodeNumber
} from '../../../lib/cluster/link/codec.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { decodeMissed } from '../../../lib/cluster/link/missed-messages.js'
import { timings } from '../../../lib/cluster/timing.js'
import { Calm, Machine, World } from '../simulation/world.js'
import { contextWithBatches } from '../fixtures/context.js'
import type { ChannelHeader } from '../../../lib/cluster/link/codec.js'

const { frames, reset, nack, ping } = batchTypes

interface SentBatch {
  readonly type: number
  readonly header: ChannelHeader
  readonly body: Buffer
}

function setUp () {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  const context = contextWithBatches(64 * 1024, { clock: machine })
  const stats = context.counters
  const sent: SentBatch[] = []
  const handled: string[] = []
  const resets: string[] = []
  const engine = { accepts: true }
  const channel = new Channel(context, {
    node: 'b',
    publishBatch (type, header, parts) {
      if (engine.accepts) sent.push({ type, header, body: Buffer.concat(parts) })
      return engine.accepts
    },
    scheduleFlush: (channel) => { machine.later(() => { channel.flush() }) },
    handleFrame ({ text }) {
      handled.push(text)
      return text !== 'garbage'
    },
    channelReset: (why) => { resets.push(why) }
  })
  const local = Math.floor(world.now / 1000)
  /** Delivers a batch of the other node to the channel. */
  function receive (
    type: number, src: number, dst: number, ack = 0, rest: Uint8Array = Buffer.alloc(0)
  ): boolean {
    const header = encodeChannelHeader({ src, dst, ack })
    return channel.receiveBatch(type, Buffer.concat([header, rest]), 0)
  }
  return {
    world,
    machine,
    stats,
    sent,
    handled,
    resets,
    engine,
    channel,
    local,
    receive,
    run: (ms: number) => world.runUntil(world.now + ms, () => {})
  }
}

function frame (text: string, seq: number): Buffer {
  return encodeFrame({ type: 10, text }, seq)
}

t.test(
  'sends the frames of one turn in one batch, which the next received batch acknowledges',
  async (t) => {
    const { channel, sent, local, receive, run, handled } = setUp()
    t.ok(channel.sendFrame({ type: 10, text: 'a' }, 'message'))
    t.ok(channel.sendFrame({ type: 10, text: 'b' }, 'system'))
    await run(0)
    t.strictSame(sent, [
      {
        type: frames,
        header: { src: local, dst: 0, ack: 0 },
        body: Buffer.concat([frame('a', 1), frame('b', 2)])
      }
    ])
    t.ok(receive(frames, 7, local, 2, frame('c', 1)))
    t.strictSame(handled, ['c'])
    t.equal(channel.unacknowledged, 0)
    await run(timings.default.ack)
    const header = { src: local, dst: 7, ack: 1 }
    t.strictSame(sent.at(-1), { type: frames, header, body: Buffer.alloc(0) })
  }
)

t.test(
  'drops a batch for a closed connection, and resets the connection that sent it',
  async (t) => {
    const { channel, sent, local, receive, handled } = setUp()
    channel.reset('a test')
    t.ok(receive(frames, 7, local, 0, frame('late', 1)))
    t.ok(receive(frames, 7, 0, 0, frame('late', 1)))
    t.strictSame(handled, [])
    t.strictSame(
      sent,
      [{ type: reset, header: { src: local + 1, dst: 7, ack: 7 }, body: Buffer.alloc(0) }],
      'once'
    )
  }
)

t.test('drops a batch of a closed connection', async (t) => {
  const { channel, sent, local, receive, handled, run } = setUp()
  receive(frames, 7, 0, 0, frame('first', 1))
  channel.reset('a test')
  t.match(sent, [{ type: reset, header: { src: local + 1, dst: 7, ack: 7 } }])
  await run(timings.default.nack)
  t.ok(receive(frames, 7, 0, 0, Buffer.concat([frame('first', 1), frame('late', 2)])))
  t.strictSame(handled, ['first'])
  t.equal(sent.length, 2)
  t.ok(receive(frames, 8, local + 1, 0, frame('new', 1)))
  t.strictSame(handled, ['first', 'new'])
})

t.test(
  'drops all frames when the other node begins a new connection, and handles its batch',
  async (t) => {
    const { sent, local, receive, handled, resets, channel } = setUp()
    receive(frames, 7, 0, 0, Buffer.concat([frame('a', 1), frame('b', 2)]))
    channel.sendFrame({ type: 10, text: 'mine' }, 'message')
    t.ok(receive(frames, 8, 0, 0, frame('c', 1)))
    t.strictSame(resets, ['the other node has begun a new connection'])
    t.strictSame(handled, ['a', 'b', 'c'])
    t.equal(channel.unacknowledged, 0)
    // The batch is addressed to a connection that the same batch resets.
    t.ok(receive(frames, 9, local + 1, 0, frame('d', 1)))
    t.strictSame(handled, ['a', 'b', 'c'])
    t.strictSame(resets, [
      'the other node has begun a new connection',
      'the other node has begun a new connection'
    ])
    t.match(sent.at(-1), { type: reset, header: { src: local + 2, dst: 9 } })
  }
)

t.test(
  'obeys a reset only for the connection that it names, and skips the numbers that it closes',
  async (t) => {
    const { sent, local, receive, resets, channel, run } = setUp()
    t.ok(receive(reset, 7, local - 1))
    t.ok(receive(reset, 7, local + 1))
    t.strictSame(resets, [])
    t.ok(receive(reset, 7, local, local + 10))
    t.strictSame(resets, ['the other node has reset the channel'])
    channel.sendFrame({ type: 10 }, 'message')
    await run(0)
    t.equal(sent.at(-1)?.header.src, local + 11)
  }
)

t.test('ignores late batches and impossible connection numbers', async (t) => {
  const { local, receive, resets, handled, channel } = setUp()
  receive(frames, 7, 0, 0, frame('a', 1))
  t.ok(receive(frames, 6, 0, 0, frame('x', 2)))
  t.ok(receive(frames, 7, local + 1, 0, frame('x', 2)))
  t.notOk(receive(frames, local + 2 ** 25, 0, 0, frame('x', 1)), 'garbage')
  t.notOk(channel.receiveBatch(frames, Buffer.alloc(3), 0))
  t.strictSame(handled, ['a'])
  t.strictSame(resets, [])
})

t.test('goes on after a garbage frame', async (t) => {
  const { receive, resets, handled } = setUp()
  t.ok(receive(frames, 7, 0, 0, Buffer.concat([frame('a', 1), frame('garbage', 2), frame('b', 3)])))
  t.strictSame(handled, ['a', 'garbage', 'b'])
  t.strictSame(resets, [])
})

t.test('resets when a batch is garbage', async (t) => {
  for (const [type, ack, rest] of [
    [frames, 0, Buffer.from('xx')],
    [frames, 1, Buffer.alloc(0)],
    [ping, 0, Buffer.from('xx')],
    [99, 0, Buffer.alloc(0)]
  ] as const) {
    const { local, receive, resets } = setUp()
    t.notOk(receive(type, 7, local, ack, rest))
    t.strictSame(resets, ['garbage came in'])
  }
})

t.test('resends all unacknowledged frames after a nack, and when the engine is back', async (t) => {
  const { channel, sent, local, receive, run } = setUp()
  for (const text of ['a', 'b']) channel.sendFrame({ type: 10, text }, 'message')
  await run(0)
  receive(nack, 7, local, 1)
  await run(0)
  t.strictSame(sent.slice(1), [
    { type: frames, header: { src: local, dst: 7, ack: 0 }, body: frame('b', 2) }
  ])
  channel.resendAll()
  t.match(sent.slice(2), [{ type: frames, body: frame('b', 2) }, { type: ping }])
  t.equal(decodeNumber(sent[3].body, 0), 2)
})

t.test('pings every 5 s, and answers a ping', async (t) => {
  const { channel, sent, local, receive, run, machine } = setUp()
  await run(timings.default.ping - 1)
  channel.tick(machine.now())
  t.strictSame(sent, [])
  await run(1)
  channel.tick(machine.now())
  channel.tick(machine.now())
  t.match(sent, [{ type: ping }])
  t.ok(receive(ping, 7, local, 0, encodeNumber(0)))
  t.match(sent[1], { type: frames, header: { dst: 7, ack: 0 } })
  t.ok(receive(ping, 7, local, 0, encodeNumber(1)))
  t.match(sent[2], { type: nack })
})

t.test(
  'refuses messages when the window is full, and resets when system frames exceed the hard limit',
  async (t) => {
    const { channel, resets, stats, sent } = setUp()
    let taken = 0
    while (channel.sendFrame({ type: 10 }, 'message')) taken++
    t.equal(taken, 4096)
    t.notOk(
      channel.sendFrame({ type: 10, body: Buffer.alloc(33 * 1024 * 1024) }, 'system'),
      'too long'
    )
    while (channel.sendFrame({ type: 10 }, 'system')) taken++
    t.equal(taken, 4096 * 64)
    t.strictSame(resets, ['the window is full'])
    t.match(stats, { torn: 1 })
    t.match(
      sent.map(({ type }) => type),
      [ping],
      'nothing of theirs is known: a ping says the new number'
    )
    t.equal(channel.window.full, false)
    channel.reset('again')
    t.equal(stats.torn, 1, 'a channel that was not used counts for nothing')
  }
)

t.test('acknowledges nothing with a batch that the engine does not accept', async (t) => {
  const { channel, receive, engine, machine, run, sent, local } = setUp()
  receive(frames, 7, 0, 0, frame('a', 1))
  t.equal(machine.timers, 1)
  engine.accepts = false
  channel.sendFrame({ type: 10 }, 'message')
  await run(0)
  t.equal(machine.timers, 2, 'the confirmation, and the next try')
  engine.accepts = true
  await run(timings.default.nack)
  t.match(sent, [{ header: { src: local, dst: 7, ack: 1 } }])
  t.equal(machine.timers, 0)
})

function message (to: number, data: string) {
  return { type: frameTypes.send, to, from: 1, text: 'ws.send', kind: 2, body: Buffer.from(data) }
}

/** Fills the window with messages to one receiver. @returns the number of accepted messages */
function fill (channel: Channel, to: number): number {
  let taken = 0
  while (channel.sendMessage(message(to, `fill ${taken}`), undefined)) taken++
  return taken
}

t.test(
  'sends one frame for all receivers of a payload, and joins text before it is encoded',
  async (t) => {
    const { channel, sent, run } = setUp()
    const payload = { data: 'news' }
    t.notOk(channel.joinText(1, 1, payload))
    t.ok(channel.sendMessage(message(1, 'news'), payload))
    t.ok(channel.joinText(2, 1, { data: 'news' }))
    t.ok(channel.sendMessage(message(3, 'other'), { data: 'other' }))
    t.equal(channel.unacknowledged, 2)
    await run(0)
    t.match(decodeFrames(sent[0].body, 0), [
      { type: frameTypes.sendMany, seq: 1, ref: 2 },
      { type: frameTypes.send, seq: 2, to: 3 }
    ])
  }
)

t.test('reports missed messages before any other frame, as soon as there is room', async (t) => {
  const { channel, sent, local, receive, run } = setUp()
  const taken = fill(channel, 1)
  channel.recordMissed((misses) => { misses.addReceiver(1) })
  channel.recordMissed((misses) => { misses.addReceiver(2) })
  t.notOk(
    channel.sendMessage(message(1, 'fill 0'), undefined),
    'though an open frame has this payload'
  )
  t.ok(channel.sendMessage(message(3, 'fill 0'), undefined), 'this receiver misses nothing')
  await run(0)
  t.ok(channel.missedMessages.hasAny, 'the window is full')
  t.notOk(channel.isFlushed)
  t.equal(channel.size, 3, 'two receivers, and the frame to two')
  receive(frames, 7, local, taken)
  await run(0)
  t.notOk(channel.missedMessages.hasAny)
  const [notice, ...rest] = decodeFrames(sent.at(-1)!.body, 0)!
  t.strictSame(decodeMissed(notice), new Map([[1, 1], [2, 1]]))
  t.strictSame(rest, [])
})

t.test('sends the report of missed messages before the next frame of the same turn', async (t) => {
  const { channel, sent, local, receive, run } = setUp()
  const taken = fill(channel, 1)
  channel.recordMissed((misses) => { misses.addReceiver(1) })
  channel.flush()
  receive(frames, 7, local, taken)
  t.ok(channel.sendMessage(message(1, 'again'), undefined))
  await run(0)
  const decoded = decodeFrames(sent.at(-1)!.body, 0)
  t.match(decoded, [{ type: frameTypes.missed }, { type: frameTypes.send, to: 1 }])
})

t.test(
  'accepts calls into the reserve of a full window, and refuses them when the reserve is full',
  async (t) => {
    const { channel } = setUp()
    const taken = fill(channel, 1)
    let calls = 0
    while (channel.sendFrame({ type: frameTypes.call, to: 1 }, 'call')) calls++
    t.equal(taken + calls, 4 * 4096)
    t.ok(channel.sendFrame({ type: frameTypes.exit, to: 1 }, 'system'))
  }
)

t.test('reports the receivers of unacknowledged messages after a reset', async (t) => {
  const { channel, sent, run, local } = setUp()
  channel.sendMessage(message(5, 'lost'), undefined)
  await run(0)
  channel.reset('a test')
  await run(0)
  t.equal(sent.at(-1)!.header.src, local + 1)
  const [notice] = decodeFrames(sent.at(-1)!.body, 0)!
  t.strictSame(decodeMissed(notice), new Map([[5, 1]]))
  channel.reset('again')
  await run(0)
  t.strictSame(
    decodeMissed(decodeFrames(sent.at(-1)!.body, 0)![0]),
    new Map([[5, 1]]),
    'a notice that is lost itself'
  )
})
