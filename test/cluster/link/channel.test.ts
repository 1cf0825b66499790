import t from 'tap'
import { Channel } from '../../../lib/cluster/link/channel.js'
import { batchTypes, decodeNumber, encodeChannelHeader, encodeFrame, encodeNumber } from '../../../lib/cluster/link/codec.js'
import { decodeFrames } from '../../../lib/cluster/link/codec.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { decodeMissed } from '../../../lib/cluster/link/missed-messages.js'
import { timings } from '../../../lib/cluster/timing.js'
import { Calm, Machine, World } from '../simulator.js'
import { counters } from '../support.js'
import type { ChannelHeader } from '../../../lib/cluster/link/codec.js'

const { frames, reset, nack, ping } = batchTypes

function setUp () {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  const stats = counters()
  const said: { readonly type: number, readonly header: ChannelHeader, readonly body: Buffer }[] = []
  const applied: string[] = []
  const torn: string[] = []
  const engine = { takes: true }
  const channel = new Channel({
    clock: machine,
    timing: timings.default,
    counters: stats,
    batchBytes: 64 * 1024,
    publishBatch (type, header, parts) {
      if (engine.takes) said.push({ type, header, body: Buffer.concat(parts) })
      return engine.takes
    },
    scheduleFlush: (channel) => { machine.soon(() => { channel.flush() }) },
    handleFrame ({ text }) {
      applied.push(text)
      return text !== 'garbage'
    },
    channelReset: (why) => { torn.push(why) }
  })
  const mine = Math.floor(world.now / 1000)
  /** A batch of the other node. */
  const hear = (type: number, src: number, dst: number, ack = 0, rest: Uint8Array = Buffer.alloc(0)): boolean =>
    channel.receiveBatch(type, Buffer.concat([encodeChannelHeader({ src, dst, ack }), rest]), 0)
  return { world, machine, stats, said, applied, torn, engine, channel, mine, hear, run: (ms: number) => world.runUntil(world.now + ms, () => {}) }
}

function frame (text: string, seq: number): Buffer {
  return encodeFrame({ type: 10, text }, seq)
}

t.test('what is pushed in one turn is one batch, and is confirmed by the next that comes', async (t) => {
  const { channel, said, mine, hear, run, applied } = setUp()
  t.ok(channel.sendFrame({ type: 10, text: 'a' }, 'message'))
  t.ok(channel.sendFrame({ type: 10, text: 'b' }, 'system'))
  await run(0)
  t.strictSame(said, [{ type: frames, header: { src: mine, dst: 0, ack: 0 }, body: Buffer.concat([frame('a', 1), frame('b', 2)]) }])
  t.ok(hear(frames, 7, mine, 2, frame('c', 1)))
  t.strictSame(applied, ['c'])
  t.equal(channel.unacknowledged, 0)
  await run(timings.default.ack)
  t.strictSame(said.at(-1), { type: frames, header: { src: mine, dst: 7, ack: 1 }, body: Buffer.alloc(0) })
})

t.test('what was sent to a connection that was torn down is not taken, and what it came from is reset', async (t) => {
  const { channel, said, mine, hear, applied } = setUp()
  channel.reset('a test')
  t.ok(hear(frames, 7, mine, 0, frame('late', 1)))
  t.ok(hear(frames, 7, 0, 0, frame('late', 1)))
  t.strictSame(applied, [])
  t.strictSame(said, [{ type: reset, header: { src: mine + 1, dst: 7, ack: 7 }, body: Buffer.alloc(0) }], 'once')
})

t.test('what comes of a connection that was torn down is not taken', async (t) => {
  const { channel, said, mine, hear, applied, run } = setUp()
  hear(frames, 7, 0, 0, frame('first', 1))
  channel.reset('a test')
  t.match(said, [{ type: reset, header: { src: mine + 1, dst: 7, ack: 7 } }])
  await run(timings.default.nack)
  t.ok(hear(frames, 7, 0, 0, Buffer.concat([frame('first', 1), frame('late', 2)])))
  t.strictSame(applied, ['first'])
  t.equal(said.length, 2)
  t.ok(hear(frames, 8, mine + 1, 0, frame('new', 1)))
  t.strictSame(applied, ['first', 'new'])
})

t.test('where the other node has begun anew, everything before is lost, and what it says is the first', async (t) => {
  const { said, mine, hear, applied, torn, channel } = setUp()
  hear(frames, 7, 0, 0, Buffer.concat([frame('a', 1), frame('b', 2)]))
  channel.sendFrame({ type: 10, text: 'mine' }, 'message')
  t.ok(hear(frames, 8, 0, 0, frame('c', 1)))
  t.strictSame(torn, ['the other node has begun anew'])
  t.strictSame(applied, ['a', 'b', 'c'])
  t.equal(channel.unacknowledged, 0)
  // It speaks to one that is torn by that very batch.
  t.ok(hear(frames, 9, mine + 1, 0, frame('d', 1)))
  t.strictSame(applied, ['a', 'b', 'c'])
  t.strictSame(torn, ['the other node has begun anew', 'the other node has begun anew'])
  t.match(said.at(-1), { type: reset, header: { src: mine + 2, dst: 9 } })
})

t.test('a reset counts for the connection it names, and says which numbers are used up', async (t) => {
  const { said, mine, hear, torn, channel, run } = setUp()
  t.ok(hear(reset, 7, mine - 1))
  t.ok(hear(reset, 7, mine + 1))
  t.strictSame(torn, [])
  t.ok(hear(reset, 7, mine, mine + 10))
  t.strictSame(torn, ['the other node has torn it down'])
  channel.sendFrame({ type: 10 }, 'message')
  await run(0)
  t.equal(said.at(-1)?.header.src, mine + 11)
})

t.test('what is late or made up changes nothing', async (t) => {
  const { mine, hear, torn, applied, channel } = setUp()
  hear(frames, 7, 0, 0, frame('a', 1))
  t.ok(hear(frames, 6, 0, 0, frame('x', 2)))
  t.ok(hear(frames, 7, mine + 1, 0, frame('x', 2)))
  t.notOk(hear(frames, mine + 2 ** 25, 0, 0, frame('x', 1)), 'garbage')
  t.notOk(channel.receiveBatch(frames, Buffer.alloc(3), 0))
  t.strictSame(applied, ['a'])
  t.strictSame(torn, [])
})

t.test('a frame that is garbage costs itself alone', async (t) => {
  const { hear, torn, applied } = setUp()
  t.ok(hear(frames, 7, 0, 0, Buffer.concat([frame('a', 1), frame('garbage', 2), frame('b', 3)])))
  t.strictSame(applied, ['a', 'garbage', 'b'])
  t.strictSame(torn, [])
})

t.test('a batch that is garbage tears the channel down', async (t) => {
  for (const [type, ack, rest] of [
    [frames, 0, Buffer.from('xx')], [frames, 1, Buffer.alloc(0)], [ping, 0, Buffer.from('xx')], [99, 0, Buffer.alloc(0)]
  ] as const) {
    const { mine, hear, torn } = setUp()
    t.notOk(hear(type, 7, mine, ack, rest))
    t.strictSame(torn, ['garbage came in'])
  }
})

t.test('a complaint has all sent again that is not confirmed; so has the return of the engine', async (t) => {
  const { channel, said, mine, hear, run } = setUp()
  for (const text of ['a', 'b']) channel.sendFrame({ type: 10, text }, 'message')
  await run(0)
  hear(nack, 7, mine, 1)
  await run(0)
  t.strictSame(said.slice(1), [{ type: frames, header: { src: mine, dst: 7, ack: 0 }, body: frame('b', 2) }])
  channel.resendAll()
  t.match(said.slice(2), [{ type: frames, body: frame('b', 2) }, { type: ping }])
  t.equal(decodeNumber(said[3].body, 0), 2)
})

t.test('it is pinged every 5 s, and answers a ping', async (t) => {
  const { channel, said, mine, hear, run, machine } = setUp()
  await run(timings.default.ping - 1)
  channel.tick(machine.now())
  t.strictSame(said, [])
  await run(1)
  channel.tick(machine.now())
  channel.tick(machine.now())
  t.match(said, [{ type: ping }])
  t.ok(hear(ping, 7, mine, 0, encodeNumber(0)))
  t.match(said[1], { type: frames, header: { dst: 7, ack: 0 } })
  t.ok(hear(ping, 7, mine, 0, encodeNumber(1)))
  t.match(said[2], { type: nack })
})

t.test('a full window refuses what can be refused; what cannot tears the channel down in the end', async (t) => {
  const { channel, torn, stats, said } = setUp()
  let taken = 0
  while (channel.sendFrame({ type: 10 }, 'message')) taken++
  t.equal(taken, 4096)
  t.notOk(channel.sendFrame({ type: 10, body: Buffer.alloc(33 * 1024 * 1024) }, 'system'), 'too long')
  while (channel.sendFrame({ type: 10 }, 'system')) taken++
  t.equal(taken, 4096 * 64)
  t.strictSame(torn, ['the window is full'])
  t.match(stats, { torn: 1 })
  t.match(said.map(({ type }) => type), [ping], 'nothing of theirs is known: a ping says the new number')
  t.equal(channel.window.full, false)
  channel.reset('again')
  t.equal(stats.torn, 1, 'a channel that was not used counts for nothing')
})

t.test('what the engine does not take confirms nothing', async (t) => {
  const { channel, hear, engine, machine, run, said, mine } = setUp()
  hear(frames, 7, 0, 0, frame('a', 1))
  t.equal(machine.timers, 1)
  engine.takes = false
  channel.sendFrame({ type: 10 }, 'message')
  await run(0)
  t.equal(machine.timers, 2, 'the confirmation, and the next try')
  engine.takes = true
  await run(timings.default.nack)
  t.match(said, [{ header: { src: mine, dst: 7, ack: 1 } }])
  t.equal(machine.timers, 0)
})

t.test('a channel that is stopped leaves no timer', async (t) => {
  const { channel, hear, engine, machine } = setUp()
  hear(frames, 7, 0, 0, frame('a', 1))
  engine.takes = false
  channel.sendFrame({ type: 10 }, 'message')
  channel.flush()
  t.equal(machine.timers, 2)
  channel.stop()
  t.equal(machine.timers, 0)
})

function message (to: number, data: string) {
  return { type: frameTypes.send, to, from: 1, text: 'ws.send', kind: 2, body: Buffer.from(data) }
}

/** Fills the window with messages to one receiver. @returns how many it took */
function fill (channel: Channel, to: number): number {
  let taken = 0
  while (channel.sendMessage(message(to, `fill ${taken}`), undefined)) taken++
  return taken
}

t.test('sends one frame for all receivers of a payload, and joins text before it is encoded', async (t) => {
  const { channel, said, run } = setUp()
  const payload = { data: 'news' }
  t.notOk(channel.joinText(1, 1, payload))
  t.ok(channel.sendMessage(message(1, 'news'), payload))
  t.ok(channel.joinText(2, 1, { data: 'news' }))
  t.ok(channel.sendMessage(message(3, 'other'), { data: 'other' }))
  t.equal(channel.unacknowledged, 2)
  await run(0)
  t.match(decodeFrames(said[0].body, 0), [{ type: frameTypes.sendMany, seq: 1, ref: 2 }, { type: frameTypes.send, seq: 2, to: 3 }])
})

t.test('tells who missed messages before anything else, as soon as there is room', async (t) => {
  const { channel, said, mine, hear, run } = setUp()
  const taken = fill(channel, 1)
  channel.recordMissed((misses) => { misses.addReceiver(1) })
  channel.recordMissed((misses) => { misses.addReceiver(2) })
  t.notOk(channel.sendMessage(message(1, 'fill 0'), undefined), 'though an open frame has this payload')
  t.ok(channel.sendMessage(message(3, 'fill 0'), undefined), 'this receiver misses nothing')
  await run(0)
  t.ok(channel.missedMessages.hasAny, 'the window is full')
  t.notOk(channel.isFlushed)
  t.equal(channel.size, 3, 'two receivers, and the frame to two')
  hear(frames, 7, mine, taken)
  await run(0)
  t.notOk(channel.missedMessages.hasAny)
  const [notice, ...rest] = decodeFrames(said.at(-1)!.body, 0)!
  t.strictSame(decodeMissed(notice), new Map([[1, 1], [2, 1]]))
  t.strictSame(rest, [])
})

t.test('puts the notice before the next frame of the same turn', async (t) => {
  const { channel, said, mine, hear, run } = setUp()
  const taken = fill(channel, 1)
  channel.recordMissed((misses) => { misses.addReceiver(1) })
  channel.flush()
  hear(frames, 7, mine, taken)
  t.ok(channel.sendMessage(message(1, 'again'), undefined))
  await run(0)
  t.match(decodeFrames(said.at(-1)!.body, 0), [{ type: frameTypes.missed }, { type: frameTypes.send, to: 1 }])
})

t.test('has calls wait in the reserve of a full window, and refuses them when that is full', async (t) => {
  const { channel } = setUp()
  const taken = fill(channel, 1)
  let calls = 0
  while (channel.sendFrame({ type: frameTypes.call, to: 1 }, 'call')) calls++
  t.equal(taken + calls, 4 * 4096)
  t.ok(channel.sendFrame({ type: frameTypes.exit, to: 1 }, 'system'))
})

t.test('tells after a reset who may have missed what was under way', async (t) => {
  const { channel, said, run, mine } = setUp()
  channel.sendMessage(message(5, 'lost'), undefined)
  await run(0)
  channel.reset('a test')
  await run(0)
  t.equal(said.at(-1)!.header.src, mine + 1)
  const [notice] = decodeFrames(said.at(-1)!.body, 0)!
  t.strictSame(decodeMissed(notice), new Map([[5, 1]]))
  channel.reset('again')
  await run(0)
  t.strictSame(decodeMissed(decodeFrames(said.at(-1)!.body, 0)![0]), new Map([[5, 1]]), 'a notice that is lost itself')
})
