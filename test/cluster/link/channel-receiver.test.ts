import t from 'tap'
import { decodeFrames, encodeFrame } from '../../../lib/cluster/link/codec.js'
import { ChannelReceiver } from '../../../lib/cluster/link/channel-receiver.js'
import { cut } from '../../../lib/cluster/link/fragments.js'
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
    apply (frame) {
      applied.push(frame.seq)
      return apply?.(frame, inbox) ?? true
    },
    confirm () {
      said.push(`confirm ${inbox.received}`)
      inbox.confirmed()
    },
    complain () { said.push(`complain ${inbox.received}`) }
  })
  return { machine, stats, applied, said, inbox, run: (ms: number) => world.runUntil(world.now + ms, () => {}) }
}

function frames (...seqs: number[]): Frame[] {
  return seqs.flatMap((seq) => decodeFrames(encodeFrame({ type: 10 }, seq), 0)!)
}

t.test('frames are handed on in order, each once, and confirmed together', async (t) => {
  const { inbox, applied, said, stats, machine, run } = setUp()
  inbox.receive(frames(1, 2))
  inbox.receive(frames(2, 3))
  t.strictSame(applied, [1, 2, 3])
  t.strictSame(said, [])
  await run(timings.default.ack)
  t.strictSame(said, ['confirm 3'])
  t.equal(stats.framesIn, 3)
  t.equal(machine.timers, 0)
  inbox.receive(frames(1))
  await run(timings.default.ack)
  t.strictSame(said, ['confirm 3', 'confirm 3'], 'what comes again is confirmed again')
  inbox.receive([])
  t.equal(machine.timers, 0)
})

t.test('many are confirmed at once; what was published meanwhile confirmed them too', async (t) => {
  const { inbox, said, machine } = setUp()
  inbox.receive(frames(...Array.from({ length: 512 }, (_, i) => i + 1)))
  t.strictSame(said, ['confirm 512'])
  inbox.receive(frames(513))
  t.equal(machine.timers, 1)
  inbox.confirmed()
  t.equal(machine.timers, 0)
})

t.test('a gap is complained of, once in a while, and nothing behind it is handed on', async (t) => {
  const { inbox, applied, said, run } = setUp()
  inbox.receive(frames(1, 3, 4))
  inbox.receive(frames(4))
  t.strictSame(applied, [1])
  t.strictSame(said, ['complain 1'])
  await run(timings.default.nack)
  said.length = 0
  inbox.receive(frames(4))
  t.strictSame(said, ['complain 1'])
  inbox.receive(frames(2, 3, 4))
  t.strictSame(applied, [1, 2, 3, 4])
})

t.test('a ping is answered by a confirmation, or by a complaint where something is missing', async (t) => {
  const { inbox, said } = setUp()
  inbox.receive(frames(1))
  inbox.pinged(1)
  inbox.pinged(2)
  t.strictSame(said, ['confirm 1', 'complain 1'])
})

t.test('pieces are one frame when they are all there; what is none is garbage', async (t) => {
  const { inbox, applied, stats } = setUp()
  const pieces = [...cut({ type: 10, body: Buffer.alloc(500) }, 300)].map((fields, i) => decodeFrames(encodeFrame(fields, i + 1), 0)![0])
  inbox.receive(pieces.slice(0, 1))
  t.strictSame(applied, [])
  inbox.receive(pieces.slice(1))
  t.equal(applied.length, 1)
  inbox.clear()
  inbox.receive(decodeFrames(encodeFrame({ type: 1, body: Buffer.from('x') }, 1), 0)!)
  t.equal(stats.garbage, 1)
  t.equal(applied.length, 1)
})

t.test('a frame that is garbage is counted, and costs itself alone; the end of the channel stops the batch', async (t) => {
  const garbage = setUp(({ seq }) => seq !== 2)
  garbage.inbox.receive(frames(1, 2, 3))
  t.strictSame(garbage.applied, [1, 2, 3])
  t.equal(garbage.inbox.received, 3)
  t.equal(garbage.stats.garbage, 1)
  const torn = setUp(({ seq }, inbox) => {
    if (seq === 2) inbox.clear()
    return true
  })
  torn.inbox.receive(frames(1, 2, 3))
  t.strictSame(torn.applied, [1, 2])
  t.equal(torn.inbox.received, 0)
  t.equal(torn.machine.timers, 0)
})
