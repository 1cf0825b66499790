import t from 'tap'
import { decodeFrames } from '../../lib/cluster/codec.js'
import { Outbox } from '../../lib/cluster/outbox.js'
import { timings } from '../../lib/cluster/timing.js'
import { Calm, Machine, World } from './simulator.js'
import { counters } from './support.js'

function setUp (batchBytes = 1000) {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  const stats = counters()
  const batches: number[][] = []
  const engine = { takes: true }
  const outbox = new Outbox({
    clock: machine,
    timing: timings.default,
    counters: stats,
    batchBytes,
    send (frames) {
      if (engine.takes) batches.push(decodeFrames(Buffer.concat(frames), 0)!.map(({ seq }) => seq))
      return engine.takes
    }
  })
  return { world, machine, stats, batches, engine, outbox, run: (ms: number) => world.runUntil(world.now + ms, () => {}) }
}

const frame = { type: 10, body: Buffer.alloc(100) }

t.test('frames are numbered, sent in batches that the engine takes, and freed when they are confirmed', async (t) => {
  const { outbox, batches, stats } = setUp(300)
  for (let i = 0; i < 5; i++) t.ok(outbox.take(frame))
  outbox.flush()
  t.strictSame(batches, [[1, 2], [3, 4], [5]])
  t.match(outbox, { unacknowledged: 5, last: 5, sent: 5 })
  t.equal(outbox.confirm(3), true)
  t.equal(outbox.confirm(2), true, 'late')
  t.equal(outbox.unacknowledged, 2)
  t.equal(outbox.confirm(6), false, 'never sent')
  t.match(stats, { framesOut: 5, resent: 0 })
})

t.test('a long frame travels in pieces; one that is too long does not', async (t) => {
  const { outbox, batches } = setUp(300)
  t.ok(outbox.take({ type: 10, body: Buffer.alloc(500) }))
  t.equal(outbox.last, 3)
  t.notOk(outbox.take({ type: 10, body: Buffer.alloc(33 * 1024 * 1024) }))
  t.equal(outbox.last, 3)
  outbox.flush()
  t.strictSame(batches.flat(), [1, 2, 3])
})

t.test('what the engine does not take is tried again, by one timer', async (t) => {
  const { outbox, batches, engine, machine, run } = setUp()
  engine.takes = false
  outbox.take(frame)
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
  outbox.take(frame)
  outbox.flush()
  outbox.stop()
  t.equal(machine.timers, 0)
})

t.test('after a complaint everything that is not confirmed is sent again, and counted as that', async (t) => {
  const { outbox, batches, stats } = setUp()
  for (let i = 0; i < 3; i++) outbox.take(frame)
  outbox.flush()
  outbox.confirm(1)
  outbox.take(frame)
  outbox.goBack()
  outbox.flush()
  t.strictSame(batches, [[1, 2, 3], [2, 3, 4]])
  t.match(stats, { framesOut: 4, resent: 2 })
  outbox.goBack()
  outbox.confirm(3)
  outbox.flush()
  t.strictSame(batches.at(-1), [4], 'what is confirmed meanwhile is not')
})

t.test('without a confirmation the oldest alone is sent again, each second', async (t) => {
  const { outbox, batches, engine, machine, stats, run } = setUp()
  outbox.tick(machine.now() + 10_000)
  for (let i = 0; i < 3; i++) outbox.take(frame)
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
  outbox.clear()
  engine.takes = true
  outbox.take(frame)
  await run(timings.default.resend)
  outbox.tick(machine.now())
  t.strictSame(batches.at(-1), [1], 'what was not sent at all is')
  t.equal(stats.resent, 1)
})

t.test('a confirmation makes room for those who wait; the end of the channel for nobody', async (t) => {
  const { outbox } = setUp(8 * 1024 * 1024)
  outbox.take({ type: 10, body: Buffer.alloc(7 * 1024 * 1024) })
  t.ok(outbox.window.congested)
  let resumed = 0
  const feeder = { resume () { resumed++ } }
  outbox.window.wait(feeder)
  outbox.flush()
  outbox.confirm(1)
  t.equal(resumed, 1)
  outbox.take(frame)
  outbox.window.wait(feeder)
  outbox.clear()
  t.match(outbox, { unacknowledged: 0, last: 0, sent: 0 })
  t.equal(resumed, 1)
  t.equal(outbox.confirm(1), false)
})
