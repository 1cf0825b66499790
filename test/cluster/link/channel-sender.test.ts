import t from 'tap'
import { decodeFrames } from '../../../lib/cluster/link/codec.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { MissedMessages } from '../../../lib/cluster/link/missed-messages.js'
import { ChannelSender } from '../../../lib/cluster/link/channel-sender.js'
import { timings } from '../../../lib/cluster/timing.js'
import { Calm, Machine, World } from '../simulation/world.js'
import { contextWithBatches } from '../fixtures/context.js'
import type { Frame } from '../../../lib/cluster/link/codec.js'

function setUp (batchBytes = 1000) {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  const context = contextWithBatches(batchBytes, { clock: machine })
  const stats = context.counters
  const batches: number[][] = []
  const frames: Frame[] = []
  const engine = { accepts: true }
  const sender = new ChannelSender(context, (batch) => {
    const decoded = decodeFrames(Buffer.concat(batch), 0)!
    if (engine.accepts) batches.push(decoded.map(({ seq }) => seq))
    frames.push(...decoded)
    return engine.accepts
  })
  return {
    world,
    machine,
    stats,
    batches,
    frames,
    engine,
    sender,
    run: (ms: number) => world.runUntil(world.now + ms, () => {})
  }
}

const frame = { type: 10, body: Buffer.alloc(100) }

t.test(
  'numbers frames, sends them in batches, and frees them when they are acknowledged',
  async (t) => {
    const { sender, batches, stats } = setUp(300)
    for (let i = 0; i < 5; i++) t.ok(sender.enqueueFrame(frame))
    sender.flush()
    t.strictSame(batches, [[1, 2], [3, 4], [5]])
    t.match(sender, { unacknowledged: 5, lastTaken: 5, lastSent: 5 })
    t.equal(sender.acknowledge(3), true)
    t.equal(sender.acknowledge(2), true, 'late')
    t.equal(sender.unacknowledged, 2)
    t.equal(sender.acknowledge(6), false, 'never sent')
    t.match(stats, { framesOut: 5, resent: 0 })
  }
)

t.test('splits a long frame into fragments, and refuses one that is too long', async (t) => {
  const { sender, batches } = setUp(300)
  t.ok(sender.enqueueFrame({ type: 10, body: Buffer.alloc(500) }))
  t.equal(sender.lastTaken, 3)
  t.notOk(sender.enqueueFrame({ type: 10, body: Buffer.alloc(33 * 1024 * 1024) }))
  t.equal(sender.lastTaken, 3)
  sender.flush()
  t.strictSame(batches.flat(), [1, 2, 3])
})

t.test('retries with one timer, until a reset, when the engine does not accept a batch', async (t) => {
  const { sender, batches, engine, machine, run } = setUp()
  engine.accepts = false
  sender.enqueueFrame(frame)
  sender.flush()
  sender.flush()
  t.equal(machine.timers, 1)
  await run(timings.default.nack)
  t.equal(machine.timers, 1)
  engine.accepts = true
  await run(timings.default.nack)
  t.strictSame(batches, [[1]])
  t.equal(machine.timers, 0)
  engine.accepts = false
  sender.enqueueFrame(frame)
  sender.flush()
  sender.reset(new MissedMessages())
  t.equal(machine.timers, 0)
})

t.test('resends and counts all unacknowledged frames after a rewind', async (t) => {
  const { sender, batches, stats } = setUp()
  for (let i = 0; i < 3; i++) sender.enqueueFrame(frame)
  sender.flush()
  sender.acknowledge(1)
  sender.enqueueFrame(frame)
  sender.rewind()
  sender.flush()
  t.strictSame(batches, [[1, 2, 3], [2, 3, 4]])
  t.match(stats, { framesOut: 4, resent: 2 })
  sender.rewind()
  sender.acknowledge(3)
  sender.flush()
  t.strictSame(batches.at(-1), [4], 'what is confirmed meanwhile is not')
})

t.test('resends only the oldest frame, once a second, while nothing is acknowledged', async (t) => {
  const { sender, batches, engine, machine, stats, run } = setUp()
  sender.tick(machine.now() + 10_000)
  for (let i = 0; i < 3; i++) sender.enqueueFrame(frame)
  sender.flush()
  await run(timings.default.resend - 1)
  sender.tick(machine.now())
  t.equal(batches.length, 1)
  await run(1)
  sender.tick(machine.now())
  sender.tick(machine.now())
  t.strictSame(batches, [[1, 2, 3], [1]])
  t.equal(stats.resent, 1)
  await run(timings.default.resend)
  engine.accepts = false
  sender.tick(machine.now())
  t.equal(stats.resent, 1, 'the engine did not take it')
  sender.reset(new MissedMessages())
  engine.accepts = true
  sender.enqueueFrame(frame)
  await run(timings.default.resend)
  sender.tick(machine.now())
  t.strictSame(batches.at(-1), [1], 'what was not sent at all is')
  t.equal(stats.resent, 1)
})

t.test(
  'resends the frames after the oldest as soon as the oldest alone is acknowledged',
  async (t) => {
    const { sender, batches, machine, run } = setUp()
    for (let i = 0; i < 5; i++) sender.enqueueFrame(frame)
    sender.flush()
    await run(timings.default.resend)
    sender.tick(machine.now())
    sender.acknowledge(1)
    t.strictSame(batches, [[1, 2, 3, 4, 5], [1], [2, 3, 4, 5]])
    await run(timings.default.resend)
    sender.tick(machine.now())
    sender.acknowledge(4)
    t.equal(batches.length, 4, 'the others had arrived')
    await run(timings.default.resend)
    sender.tick(machine.now())
    sender.acknowledge(5)
    t.strictSame(batches.slice(3), [[2], [5]])
    sender.enqueueFrame(frame)
    sender.flush()
    sender.enqueueFrame(frame)
    sender.flush()
    sender.acknowledge(6)
    t.strictSame(batches.slice(5), [[6], [7]], 'nothing was sent again before')
  }
)

t.test('resumes producers after an acknowledgement, and not after a reset', async (t) => {
  const { sender } = setUp(8 * 1024 * 1024)
  sender.enqueueFrame({ type: 10, body: Buffer.alloc(7 * 1024 * 1024) })
  t.ok(sender.window.congested)
  let resumed = 0
  const feeder = { resume () { resumed++ } }
  sender.window.subscribeToDrain(feeder)
  sender.flush()
  sender.acknowledge(1)
  t.equal(resumed, 1)
  sender.enqueueFrame(frame)
  sender.window.subscribeToDrain(feeder)
  sender.reset(new MissedMessages())
  t.match(sender, { unacknowledged: 0, lastTaken: 0, lastSent: 0 })
  t.equal(resumed, 1)
  t.equal(sender.acknowledge(1), false)
})

/** A message of a process to a client. */
function toClient (to: number, body: Buffer, type: number = frameTypes.send) {
  return { type, to, from: 1, text: 'ws.send', kind: 3, body }
}

t.test(
  'names the receivers of a message to many once, as long as they stay the same',
  async (t) => {
    const { sender, frames } = setUp()
    const send = (receivers: number[], body: string): void => {
      for (const to of receivers) {
        const fields = toClient(to, Buffer.from(body))
        if (!sender.joinContent(fields)) sender.enqueueMessage(fields, undefined)
      }
    }
    send([1, 2], 'a')
    send([1, 2], 'b')
    send([2, 1], 'c')
    t.equal(sender.unacknowledged, 3)
    t.equal(sender.lastTaken, 3)
    t.notOk(sender.isFlushed)
    sender.flush()
    t.ok(sender.isFlushed)
    sender.reset(new MissedMessages())
    send([2, 1], 'd')
    sender.flush()
    t.match(
      frames,
      [2, 0, 2, 2].map((ref) => ({ type: frameTypes.sendMany, to: 0, from: 1, ref }))
    )
    t.strictSame(
      frames.map(({ ref, body }) => Buffer.from(body.subarray(ref)).toString()),
      ['a', 'b', 'c', 'd']
    )
  }
)

t.test('records the receivers of all kinds of lost messages, whether split or not', async (t) => {
  const { sender } = setUp(200)
  const missed = new MissedMessages()
  sender.enqueueMessage(toClient(1, Buffer.from('arrives')), undefined)
  sender.enqueueFrame(toClient(2, Buffer.alloc(0), frameTypes.call))
  sender.enqueueFrame(toClient(3, Buffer.alloc(500), frameTypes.call))
  sender.enqueueFrame({ type: frameTypes.exit, to: 9 })
  sender.enqueueFrame({ type: frameTypes.exit, to: 9, body: Buffer.alloc(500) })
  sender.enqueueFrame({ type: frameTypes.missed }, (missed) => {
    missed.addReceiver(4, 10)
  })
  for (const to of [5, 6]) {
    const fields = toClient(to, Buffer.alloc(1000))
    if (!sender.joinContent(fields)) sender.enqueueMessage(fields, undefined)
  }
  sender.flush()
  t.equal(sender.size, 3)
  sender.acknowledge(1)
  sender.enqueueMessage(toClient(7, Buffer.from('not sent yet')), undefined)
  sender.reset(missed)
  t.equal(sender.size, 0)
  t.equal(sender.window.full, false)
  for (const receiver of [2, 3, 4, 5, 6, 7]) t.ok(missed.hasReceiver(receiver), String(receiver))
  t.equal(missed.size, 6)
})

t.test('forgets the receivers of a frame when it is acknowledged', async (t) => {
  const { sender } = setUp()
  sender.enqueueFrame({ type: frameTypes.missed }, () => { t.fail('it arrived') })
  sender.flush()
  sender.acknowledge(1)
  t.equal(sender.size, 0)
  sender.reset(new MissedMessages())
  sender.enqueueFrame(frame)
  sender.reset(new MissedMessages())
})

t.test('refuses a message that is too long', async (t) => {
  const { sender } = setUp()
  t.notOk(sender.enqueueMessage(toClient(1, Buffer.alloc(33 * 1024 * 1024)), undefined))
  t.equal(sender.unacknowledged, 0)
})
