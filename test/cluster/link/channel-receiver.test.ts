import t from 'tap'
import { batchTypes, decodeFrames, encodeFrame } from '../../../lib/cluster/link/codec.js'
import { ChannelReceiver } from '../../../lib/cluster/link/channel-receiver.js'
import { splitFrame } from '../../../lib/cluster/link/fragments.js'
import { timings } from '../../../lib/cluster/timing.js'
import { Calm, Machine, World } from '../simulation/world.js'
import { testContext } from '../fixtures/context.js'
import type { Frame } from '../../../lib/cluster/link/codec.js'

function setUp (handle?: (frame: Frame, receiver: ChannelReceiver) => boolean) {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  const context = testContext({ clock: machine })
  const stats = context.counters
  const handled: number[] = []
  const sent: string[] = []
  const handleFrame = (frame: Frame): boolean => {
    handled.push(frame.seq)
    return handle?.(frame, receiver) ?? true
  }
  const receiver: ChannelReceiver = new ChannelReceiver(context, handleFrame, (type) => {
    sent.push(`${type === batchTypes.nack ? 'nack' : 'ack'} ${receiver.lastReceived}`)
    if (type === batchTypes.frames) receiver.acknowledgementSent()
  })
  return {
    machine,
    stats,
    handled,
    sent,
    receiver,
    run: (ms: number) => world.runUntil(world.now + ms, () => {})
  }
}

function frames (...seqs: number[]): Frame[] {
  return seqs.flatMap((seq) => decodeFrames(encodeFrame({ type: 10 }, seq), 0)!)
}

t.test('handles frames in order, each once, and acknowledges them together', async (t) => {
  const { receiver, handled, sent, stats, machine, run } = setUp()
  receiver.receiveFrames(frames(1, 2))
  receiver.receiveFrames(frames(2, 3))
  t.strictSame(handled, [1, 2, 3])
  t.strictSame(sent, [])
  await run(timings.default.ack)
  t.strictSame(sent, ['ack 3'])
  t.equal(stats.framesIn, 3)
  t.equal(machine.timers, 0)
  receiver.receiveFrames(frames(1))
  await run(timings.default.ack)
  t.strictSame(sent, ['ack 3', 'ack 3'], 'what comes again is confirmed again')
  receiver.receiveFrames([])
  t.equal(machine.timers, 0)
})

t.test('acknowledges at once after many frames; a published batch acknowledges too', async (t) => {
  const { receiver, sent, machine } = setUp()
  receiver.receiveFrames(frames(...Array.from({ length: 512 }, (_, i) => i + 1)))
  t.strictSame(sent, ['ack 512'])
  receiver.receiveFrames(frames(513))
  t.equal(machine.timers, 1)
  receiver.acknowledgementSent()
  t.equal(machine.timers, 0)
})

t.test(
  'sends a nack at most once per period when a frame is missing, and handles no later frame',
  async (t) => {
    const { receiver, handled, sent, run } = setUp()
    receiver.receiveFrames(frames(1, 3, 4))
    receiver.receiveFrames(frames(4))
    t.strictSame(handled, [1])
    t.strictSame(sent, ['nack 1'])
    await run(timings.default.nack)
    sent.length = 0
    receiver.receiveFrames(frames(4))
    t.strictSame(sent, ['nack 1'])
    receiver.receiveFrames(frames(2, 3, 4))
    t.strictSame(handled, [1, 2, 3, 4])
  }
)

t.test(
  'answers a ping with an acknowledgement, or with a nack when a frame is missing',
  async (t) => {
    const { receiver, sent } = setUp()
    receiver.receiveFrames(frames(1))
    receiver.receivePing(1)
    receiver.receivePing(2)
    t.strictSame(sent, ['ack 1', 'nack 1'])
  }
)

t.test(
  'handles one frame when all its fragments came; counts malformed fragments as garbage',
  async (t) => {
    const { receiver, handled, stats } = setUp()
    const split = [...splitFrame({ type: 10, body: Buffer.alloc(500) }, 300)]
    const fragments = split.map((fields, i) => decodeFrames(encodeFrame(fields, i + 1), 0)![0])
    receiver.receiveFrames(fragments.slice(0, 1))
    t.strictSame(handled, [])
    receiver.receiveFrames(fragments.slice(1))
    t.equal(handled.length, 1)
    receiver.reset()
    receiver.receiveFrames(decodeFrames(encodeFrame({ type: 1, body: Buffer.from('x') }, 1), 0)!)
    t.equal(stats.garbage, 1)
    t.equal(handled.length, 1)
  }
)

t.test('counts a garbage frame and goes on; a reset of the channel ends the batch', async (t) => {
  const garbage = setUp(({ seq }) => seq !== 2)
  garbage.receiver.receiveFrames(frames(1, 2, 3))
  t.strictSame(garbage.handled, [1, 2, 3])
  t.equal(garbage.receiver.lastReceived, 3)
  t.equal(garbage.stats.garbage, 1)
  const afterReset = setUp(({ seq }, receiver) => {
    if (seq === 2) receiver.reset()
    return true
  })
  afterReset.receiver.receiveFrames(frames(1, 2, 3))
  t.strictSame(afterReset.handled, [1, 2])
  t.equal(afterReset.receiver.lastReceived, 0)
  t.equal(afterReset.machine.timers, 0)
})
