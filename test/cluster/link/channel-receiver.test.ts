import t from 'tap'
import { decodeFrames, encodeFrame } from '../../../lib/cluster/link/codec.js'
import { ChannelReceiver } from '../../../lib/cluster/link/channel-receiver.js'
import { splitFrame } from '../../../lib/cluster/link/fragments.js'
import { timings } from '../../../lib/cluster/timing.js'
import { Calm, Machine, World } from '../simulator.js'
import { counters } from '../support.js'
import type { Frame } from '../../../lib/cluster/link/codec.js'

function setUp (apply?: (frame: Frame, inbox: ChannelReceiver) => boolean) {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  const stats = counters()
  const applied: number[] = []
  const said: string[] = []
  const inbox: ChannelReceiver = new ChannelReceiver({
    clock: machine,
    timing: timings.default,
    counters: stats,
    handleFrame (frame) {
      applied.push(frame.seq)
      return apply?.(frame, inbox) ?? true
    },
    sendAcknowledgement () {
      said.push(`confirm ${inbox.lastReceived}`)
      inbox.acknowledgementSent()
    },
    sendNack () { said.push(`complain ${inbox.lastReceived}`) }
  })
  return { machine, stats, applied, said, inbox, run: (ms: number) => world.runUntil(world.now + ms, () => {}) }
}

function frames (...seqs: number[]): Frame[] {
  return seqs.flatMap((seq) => decodeFrames(encodeFrame({ type: 10 }, seq), 0)!)
}

t.test('frames are handed on in order, each once, and confirmed together', async (t) => {
  const { inbox, applied, said, stats, machine, run } = setUp()
  inbox.receiveFrames(frames(1, 2))
  inbox.receiveFrames(frames(2, 3))
  t.strictSame(applied, [1, 2, 3])
  t.strictSame(said, [])
  await run(timings.default.ack)
  t.strictSame(said, ['confirm 3'])
  t.equal(stats.framesIn, 3)
  t.equal(machine.timers, 0)
  inbox.receiveFrames(frames(1))
  await run(timings.default.ack)
  t.strictSame(said, ['confirm 3', 'confirm 3'], 'what comes again is confirmed again')
  inbox.receiveFrames([])
  t.equal(machine.timers, 0)
})

t.test('many are confirmed at once; what was published meanwhile confirmed them too', async (t) => {
  const { inbox, said, machine } = setUp()
  inbox.receiveFrames(frames(...Array.from({ length: 512 }, (_, i) => i + 1)))
  t.strictSame(said, ['confirm 512'])
  inbox.receiveFrames(frames(513))
  t.equal(machine.timers, 1)
  inbox.acknowledgementSent()
  t.equal(machine.timers, 0)
})

t.test('a gap is complained of, once in a while, and nothing behind it is handed on', async (t) => {
  const { inbox, applied, said, run } = setUp()
  inbox.receiveFrames(frames(1, 3, 4))
  inbox.receiveFrames(frames(4))
  t.strictSame(applied, [1])
  t.strictSame(said, ['complain 1'])
  await run(timings.default.nack)
  said.length = 0
  inbox.receiveFrames(frames(4))
  t.strictSame(said, ['complain 1'])
  inbox.receiveFrames(frames(2, 3, 4))
  t.strictSame(applied, [1, 2, 3, 4])
})

t.test('a ping is answered by a confirmation, or by a complaint where something is missing', async (t) => {
  const { inbox, said } = setUp()
  inbox.receiveFrames(frames(1))
  inbox.receivePing(1)
  inbox.receivePing(2)
  t.strictSame(said, ['confirm 1', 'complain 1'])
})

t.test('pieces are one frame when they are all there; what is none is garbage', async (t) => {
  const { inbox, applied, stats } = setUp()
  const pieces = [...splitFrame({ type: 10, body: Buffer.alloc(500) }, 300)].map((fields, i) => decodeFrames(encodeFrame(fields, i + 1), 0)![0])
  inbox.receiveFrames(pieces.slice(0, 1))
  t.strictSame(applied, [])
  inbox.receiveFrames(pieces.slice(1))
  t.equal(applied.length, 1)
  inbox.reset()
  inbox.receiveFrames(decodeFrames(encodeFrame({ type: 1, body: Buffer.from('x') }, 1), 0)!)
  t.equal(stats.garbage, 1)
  t.equal(applied.length, 1)
})

t.test('a frame that is garbage is counted, and costs itself alone; the end of the channel stops the batch', async (t) => {
  const garbage = setUp(({ seq }) => seq !== 2)
  garbage.inbox.receiveFrames(frames(1, 2, 3))
  t.strictSame(garbage.applied, [1, 2, 3])
  t.equal(garbage.inbox.lastReceived, 3)
  t.equal(garbage.stats.garbage, 1)
  const torn = setUp(({ seq }, inbox) => {
    if (seq === 2) inbox.reset()
    return true
  })
  torn.inbox.receiveFrames(frames(1, 2, 3))
  t.strictSame(torn.applied, [1, 2])
  t.equal(torn.inbox.lastReceived, 0)
  t.equal(torn.machine.timers, 0)
})
