import t from 'tap'
import { decodeFrames } from '../../../lib/cluster/link/codec.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { MissedMessages } from '../../../lib/cluster/link/missed-messages.js'
import { ChannelSender } from '../../../lib/cluster/link/channel-sender.js'
import { timings } from '../../../lib/cluster/timing.js'
import { Calm, Machine, World } from '../simulator.js'
import { counters } from '../support.js'
import type { Frame } from '../../../lib/cluster/link/codec.js'

function setUp (batchBytes = 1000) {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  const stats = counters()
  const batches: number[][] = []
  const frames: Frame[] = []
  const engine = { takes: true }
  const outbox = new ChannelSender({
    clock: machine,
    timing: timings.default,
    counters: stats,
    batchBytes,
    publishFrames (batch) {
      const decoded = decodeFrames(Buffer.concat(batch), 0)!
      if (engine.takes) batches.push(decoded.map(({ seq }) => seq))
      frames.push(...decoded)
      return engine.takes
    }
  })
  return { world, machine, stats, batches, frames, engine, outbox, run: (ms: number) => world.runUntil(world.now + ms, () => {}) }
}

const frame = { type: 10, body: Buffer.alloc(100) }

t.test('frames are numbered, sent in batches that the engine takes, and freed when they are confirmed', async (t) => {
  const { outbox, batches, stats } = setUp(300)
  for (let i = 0; i < 5; i++) t.ok(outbox.enqueueFrame(frame))
  outbox.flush()
  t.strictSame(batches, [[1, 2], [3, 4], [5]])
  t.match(outbox, { unacknowledged: 5, lastTaken: 5, lastSent: 5 })
  t.equal(outbox.acknowledge(3), true)
  t.equal(outbox.acknowledge(2), true, 'late')
  t.equal(outbox.unacknowledged, 2)
  t.equal(outbox.acknowledge(6), false, 'never sent')
  t.match(stats, { framesOut: 5, resent: 0 })
})

t.test('a long frame travels in pieces; one that is too long does not', async (t) => {
  const { outbox, batches } = setUp(300)
  t.ok(outbox.enqueueFrame({ type: 10, body: Buffer.alloc(500) }))
  t.equal(outbox.lastTaken, 3)
  t.notOk(outbox.enqueueFrame({ type: 10, body: Buffer.alloc(33 * 1024 * 1024) }))
  t.equal(outbox.lastTaken, 3)
  outbox.flush()
  t.strictSame(batches.flat(), [1, 2, 3])
})

t.test('what the engine does not take is tried again, by one timer', async (t) => {
  const { outbox, batches, engine, machine, run } = setUp()
  engine.takes = false
  outbox.enqueueFrame(frame)
  outbox.flush()
  outbox.flush()
  t.equal(machine.timers, 1)
  await run(timings.default.nack)
  t.equal(machine.timers, 1)
  engine.takes = true
  await run(timings.default.nack)
  t.strictSame(batches, [[1]])
  t.equal(machine.timers, 0)
  engine.takes = false
  outbox.enqueueFrame(frame)
  outbox.flush()
  outbox.stop()
  t.equal(machine.timers, 0)
})

t.test('after a complaint everything that is not confirmed is sent again, and counted as that', async (t) => {
  const { outbox, batches, stats } = setUp()
  for (let i = 0; i < 3; i++) outbox.enqueueFrame(frame)
  outbox.flush()
  outbox.acknowledge(1)
  outbox.enqueueFrame(frame)
  outbox.rewind()
  outbox.flush()
  t.strictSame(batches, [[1, 2, 3], [2, 3, 4]])
  t.match(stats, { framesOut: 4, resent: 2 })
  outbox.rewind()
  outbox.acknowledge(3)
  outbox.flush()
  t.strictSame(batches.at(-1), [4], 'what is confirmed meanwhile is not')
})

t.test('without a confirmation the oldest alone is sent again, each second', async (t) => {
  const { outbox, batches, engine, machine, stats, run } = setUp()
  outbox.tick(machine.now() + 10_000)
  for (let i = 0; i < 3; i++) outbox.enqueueFrame(frame)
  outbox.flush()
  await run(timings.default.resend - 1)
  outbox.tick(machine.now())
  t.equal(batches.length, 1)
  await run(1)
  outbox.tick(machine.now())
  outbox.tick(machine.now())
  t.strictSame(batches, [[1, 2, 3], [1]])
  t.equal(stats.resent, 1)
  await run(timings.default.resend)
  engine.takes = false
  outbox.tick(machine.now())
  t.equal(stats.resent, 1, 'the engine did not take it')
  outbox.reset(new MissedMessages())
  engine.takes = true
  outbox.enqueueFrame(frame)
  await run(timings.default.resend)
  outbox.tick(machine.now())
  t.strictSame(batches.at(-1), [1], 'what was not sent at all is')
  t.equal(stats.resent, 1)
})

t.test('what was lost behind the oldest is sent again as soon as that has arrived', async (t) => {
  const { outbox, batches, machine, run } = setUp()
  for (let i = 0; i < 5; i++) outbox.enqueueFrame(frame)
  outbox.flush()
  await run(timings.default.resend)
  outbox.tick(machine.now())
  outbox.acknowledge(1)
  t.strictSame(batches, [[1, 2, 3, 4, 5], [1], [2, 3, 4, 5]])
  await run(timings.default.resend)
  outbox.tick(machine.now())
  outbox.acknowledge(4)
  t.equal(batches.length, 4, 'the others had arrived')
  await run(timings.default.resend)
  outbox.tick(machine.now())
  outbox.acknowledge(5)
  t.strictSame(batches.slice(3), [[2], [5]])
  outbox.enqueueFrame(frame)
  outbox.flush()
  outbox.enqueueFrame(frame)
  outbox.flush()
  outbox.acknowledge(6)
  t.strictSame(batches.slice(5), [[6], [7]], 'nothing was sent again before')
})

t.test('a confirmation makes room for those who wait; the end of the channel for nobody', async (t) => {
  const { outbox } = setUp(8 * 1024 * 1024)
  outbox.enqueueFrame({ type: 10, body: Buffer.alloc(7 * 1024 * 1024) })
  t.ok(outbox.window.congested)
  let resumed = 0
  const feeder = { resume () { resumed++ } }
  outbox.window.subscribeDrain(feeder)
  outbox.flush()
  outbox.acknowledge(1)
  t.equal(resumed, 1)
  outbox.enqueueFrame(frame)
  outbox.window.subscribeDrain(feeder)
  outbox.reset(new MissedMessages())
  t.match(outbox, { unacknowledged: 0, lastTaken: 0, lastSent: 0 })
  t.equal(resumed, 1)
  t.equal(outbox.acknowledge(1), false)
})

/** A message of a process to a client. */
function toClient (to: number, body: Buffer, type: number = frameTypes.send) {
  return { type, to, from: 1, text: 'ws.send', kind: 3, body }
}

t.test('names the receivers of a message to many once, as long as they stay the same', async (t) => {
  const { outbox, frames } = setUp()
  const send = (receivers: number[], body: string): void => {
    for (const to of receivers) {
      const fields = toClient(to, Buffer.from(body))
      if (!outbox.joinContent(fields)) outbox.enqueueMessage(fields, undefined)
    }
  }
  send([1, 2], 'a')
  send([1, 2], 'b')
  send([2, 1], 'c')
  t.equal(outbox.unacknowledged, 3)
  t.equal(outbox.lastTaken, 3)
  t.notOk(outbox.isFlushed)
  outbox.flush()
  t.ok(outbox.isFlushed)
  outbox.reset(new MissedMessages())
  send([2, 1], 'd')
  outbox.flush()
  t.match(frames, [2, 0, 2, 2].map((ref) => ({ type: frameTypes.sendMany, to: 0, from: 1, ref })))
  t.strictSame(frames.map(({ ref, body }) => Buffer.from(body.subarray(ref)).toString()), ['a', 'b', 'c', 'd'])
})

t.test('records who misses what is lost: of messages, calls, those to many, in pieces or not, and of notices', async (t) => {
  const { outbox } = setUp(200)
  const misses = new MissedMessages()
  outbox.enqueueMessage(toClient(1, Buffer.from('arrives')), undefined)
  outbox.enqueueFrame(toClient(2, Buffer.alloc(0), frameTypes.call))
  outbox.enqueueFrame(toClient(3, Buffer.alloc(500), frameTypes.call))
  outbox.enqueueFrame({ type: frameTypes.exit, to: 9 })
  outbox.enqueueFrame({ type: frameTypes.exit, to: 9, body: Buffer.alloc(500) })
  outbox.enqueueFrame({ type: frameTypes.missed }, (misses) => { misses.addReceiver(4, 10) })
  for (const to of [5, 6]) {
    const fields = toClient(to, Buffer.alloc(1000))
    if (!outbox.joinContent(fields)) outbox.enqueueMessage(fields, undefined)
  }
  outbox.flush()
  t.equal(outbox.size, 3)
  outbox.acknowledge(1)
  outbox.enqueueMessage(toClient(7, Buffer.from('not sent yet')), undefined)
  outbox.reset(misses)
  t.equal(outbox.size, 0)
  t.equal(outbox.window.full, false)
  for (const receiver of [2, 3, 4, 5, 6, 7]) t.ok(misses.hasReceiver(receiver), String(receiver))
  t.equal(misses.size, 6)
})

t.test('forgets who would miss a frame when it has arrived', async (t) => {
  const { outbox } = setUp()
  outbox.enqueueFrame({ type: frameTypes.missed }, () => { t.fail('it arrived') })
  outbox.flush()
  outbox.acknowledge(1)
  t.equal(outbox.size, 0)
  outbox.reset(new MissedMessages())
  outbox.enqueueFrame(frame)
  outbox.reset(new MissedMessages())
})

t.test('takes no message that is too long', async (t) => {
  const { outbox } = setUp()
  t.notOk(outbox.enqueueMessage(toClient(1, Buffer.alloc(33 * 1024 * 1024)), undefined))
  t.equal(outbox.unacknowledged, 0)
})
