import t from 'tap'
import { TestRegister } from '../fixtures/register.js'
import { Generations } from '../../../lib/cluster/names/generations.js'
import { Lease } from '../../../lib/cluster/names/lease.js'
import { timings } from '../../../lib/cluster/timing.js'

const timing = timings.default

/** The lease of node `a` with incarnation 5, with a clock that the test controls. */
class Scene extends TestRegister {
  readonly events: string[] = []
  needed = true
  readonly generations: Generations
  reassert: () => void | Promise<void> = () => {}
  readonly lease: Lease

  constructor () {
    let last = 0
    super({ incarnation: 5, random: () => (last += 0.001) })
    this.store.caps = { ...this.store.caps, durable: true }
    const { context, register } = this
    this.generations = new Generations(context, register)
    const isNeeded = (): boolean => this.needed
    this.lease = new Lease(context, register, this.generations, {
      rewriteNames: async () => {
        this.events.push('reassert')
        await this.reassert()
      },
      leaseEnded: () => { this.events.push('fenced') },
      get isLeaseNeeded () { return isNeeded() }
    })
  }

  get record (): unknown {
    return this.store.read('lease.a')
  }
}

function prepare (): {
  scene: Scene
  lease: Lease
  clock: Scene['clock']
  store: Scene['store']
  events: string[]
  record: () => unknown
} {
  const scene = new Scene()
  return {
    scene,
    lease: scene.lease,
    clock: scene.clock,
    store: scene.store,
    events: scene.events,
    record: () => scene.record
  }
}

t.test('renews the record in the register every 2 s while it is needed', async (t) => {
  const { lease, clock, events, record } = prepare()
  t.notOk(lease.valid)
  t.ok(await lease.acquire())
  t.ok(lease.valid)
  t.strictSame(record(), { incarnation: 5, beat: 1, broken: false })
  await clock.pass(timing.renew - 1)
  t.match(record(), { beat: 1 })
  await clock.pass(1)
  t.match(record(), { beat: 2 })
  await clock.pass(10 * timing.renew)
  t.match(record(), { beat: 12 })
  t.ok(lease.valid)
  t.strictSame(events, [])
})

t.test('does not ask the register when it was renewed a moment ago', async (t) => {
  const { lease, store } = prepare()
  await lease.acquire()
  const { asked } = store
  t.ok(await lease.acquire())
  t.equal(store.asked, asked)
})

t.test('expires when it is not needed, and is acquired again when it is', async (t) => {
  const { lease, clock, events, scene, record } = prepare()
  await lease.acquire()
  scene.needed = false
  await clock.pass(timing.lease)
  t.notOk(lease.valid)
  t.match(record(), { beat: 1 })
  t.strictSame(events, ['fenced'])
  t.equal(clock.pending, 0)
  scene.needed = true
  t.ok(await lease.acquire())
  t.match(record(), { beat: 2 })
})

t.test('is renewed before an acquire when it was idle for a renewal interval', async (t) => {
  for (const idle of [timing.renew, timing.lease - 1]) {
    const { lease, clock, scene, events, record } = prepare()
    await lease.acquire()
    scene.needed = false
    await clock.pass(idle)
    t.ok(lease.valid)
    scene.needed = true
    t.ok(await lease.acquire())
    t.match(record(), { beat: 2 }, `idle for ${idle} ms`)
    t.ok(lease.hasTimeToRenew)
    await clock.pass(2 * timing.lease)
    t.ok(lease.valid)
    t.strictSame(events, [])
  }
})

t.test(
  'is renewed a renewal interval after its start when it is acquired again before that',
  async (t) => {
    const { lease, clock, scene, record } = prepare()
    await lease.acquire()
    scene.needed = false
    await clock.pass(timing.renew / 2)
    scene.needed = true
    t.ok(await lease.acquire())
    t.match(record(), { beat: 1 })
    await clock.pass(timing.renew / 2)
    t.match(record(), { beat: 2 })
  }
)

t.test('is lasting while a full renewal interval is left', async (t) => {
  const { lease, clock, store } = prepare()
  t.notOk(lease.hasTimeToRenew)
  await lease.acquire()
  store.silent = true
  await clock.pass(timing.lease - timing.renew)
  t.ok(lease.hasTimeToRenew)
  await clock.pass(1)
  t.ok(lease.valid)
  t.notOk(lease.hasTimeToRenew)
})

t.test(
  'is renewed at once when the last renewal was answered after a renewal interval',
  async (t) => {
    const { lease, clock, store, record } = prepare()
    store.before('cas', () => {
      clock.jump(timing.renew + 1)
    })
    await lease.acquire()
    await clock.pass(0)
    t.match(record(), { beat: 2 })
  }
)

t.test('expires 12 s after the START of the last successful renewal', async (t) => {
  const { lease, clock, store, events } = prepare()
  store.before('cas', () => { clock.jump(500) })
  await lease.acquire()
  store.silent = true
  const { epoch } = lease
  await clock.pass(timing.lease - 501)
  t.ok(lease.valid)
  t.strictSame(events, [])
  await clock.pass(1)
  t.notOk(lease.valid)
  t.strictSame(events, ['fenced'])
  t.ok(lease.epoch > epoch)
})

t.test('ends before it renews when the event loop stalled for longer than the lease', async (t) => {
  const { lease, clock, events } = prepare()
  await lease.acquire()
  clock.jump(timing.lease)
  t.notOk(lease.valid)
  const renewed = lease.renew()
  t.strictSame(events, ['fenced'])
  t.ok(await renewed)
  t.strictSame(events, ['fenced'], 'once')
})

t.test('tries a failed renewal again soon', async (t) => {
  const { lease, clock, store, events, record } = prepare()
  await lease.acquire()
  store.away = true
  await clock.pass(timing.renew)
  store.away = false
  await clock.pass(timing.renew / 4)
  t.match(record(), { beat: 3 })
  t.strictSame(events, [])
})

t.test('stays valid when the answer to a renewal is lost', async (t) => {
  const { lease, clock, store, events, record } = prepare()
  await lease.acquire()
  store.failsAfter('cas')
  await clock.pass(timing.renew * 2)
  t.ok(lease.valid)
  t.match(record(), { incarnation: 5, broken: false })
  t.strictSame(events, [])
})

t.test('is not valid when the engine cannot be reached', async (t) => {
  const { lease, store, scene, clock } = prepare()
  store.away = true
  scene.needed = false
  t.notOk(await lease.acquire())
  t.equal(clock.pending, 0, 'no retry when it is not needed')
})

t.test('runs one renewal at a time', async (t) => {
  const { lease, record } = prepare()
  t.strictSame(await Promise.all([lease.renew(), lease.acquire(), lease.renew()]), [
    true,
    true,
    true
  ])
  t.match(record(), { beat: 1 })
})

t.test('renews at the next interval when it is acquired during a renewal', async (t) => {
  const { lease, clock, record } = prepare()
  await lease.acquire()
  const renewed = lease.renew()
  t.ok(await lease.acquire())
  await renewed
  t.match(record(), { beat: 2 })
  await clock.pass(timing.renew)
  t.match(record(), { beat: 3 })
})

t.test('ends and starts again when another node has broken it', async (t) => {
  const { lease, clock, store, events, record } = prepare()
  await lease.acquire()
  store.write('lease.a', { incarnation: 5, beat: 2, broken: true })
  await clock.pass(timing.renew)
  t.strictSame(events, ['fenced'])
  t.match(record(), { broken: false })
  t.ok(lease.valid)
})

t.test('loses nothing when the lease of an earlier incarnation was broken', async (t) => {
  const { lease, store, events } = prepare()
  store.write('lease.a', { incarnation: 4, beat: 2, broken: true })
  t.ok(await lease.acquire())
  t.strictSame(events, [])
})

t.test('never replaces the lease of a later incarnation', async (t) => {
  const { lease, store, record, scene } = prepare()
  scene.needed = false
  const later = { incarnation: 6, beat: 1, broken: false }
  store.write('lease.a', later)
  t.notOk(await lease.acquire())
  t.strictSame(record(), later)
})

t.test('is not valid when another node writes it between the read and the write', async (t) => {
  const { lease, store, scene } = prepare()
  scene.needed = false
  await scene.generations.read()
  store.before('cas', () => { store.write('lease.a', { incarnation: 5, beat: 9, broken: true }) })
  t.notOk(await lease.acquire())
  t.notOk(lease.valid)
})

t.test('writes the names before the lease when the register has lost its data', async (t) => {
  const { lease, clock, store, events, scene, record } = prepare()
  await lease.acquire()
  const { generation } = lease
  store.clear()
  store.write('generation', { id: 'new', settled: false, base: 1e15 })
  let before: unknown = 'not told'
  scene.reassert = () => { before = record() }
  await clock.pass(timing.renew)
  t.strictSame(events, ['reassert'])
  t.equal(before, undefined)
  t.match(record(), { incarnation: 5, broken: false })
  t.equal(lease.generation, 'new')
  t.not(generation, 'new')
  t.ok(lease.valid)
})

t.test('notices a loss of data when the lost register reuses the revision', async (t) => {
  const { lease, clock, store, events } = prepare()
  await lease.acquire()
  store.write('generation', { id: 'new', settled: false, base: 1e15 })
  await clock.pass(timing.renew)
  t.strictSame(events, ['reassert'])
  t.equal(lease.generation, 'new')
})

t.test('expires when the names cannot be written again', async (t) => {
  const { lease, clock, store, events, scene } = prepare()
  await lease.acquire()
  store.clear()
  scene.reassert = () => { throw new Error('no') }
  await clock.pass(timing.lease)
  t.notOk(lease.valid)
  t.ok(events.includes('fenced'))
  scene.reassert = () => {}
  await clock.pass(timing.renew)
  t.ok(lease.valid)
})

t.test('is not valid when the register loses its data during the renewal', async (t) => {
  const { lease, store, scene } = prepare()
  scene.needed = false
  await scene.generations.read()
  store.before('cas', () => {
    store.write('generation', { id: 'new', settled: false, base: 1e15 })
  })
  t.notOk(await lease.acquire())
  t.notOk(lease.valid)
})

t.test('is neither valid nor renewed after the stop', async (t) => {
  const { lease, clock, events } = prepare()
  await lease.acquire()
  const { epoch } = lease
  lease.stop()
  t.notOk(lease.valid)
  t.ok(lease.epoch > epoch)
  t.equal(clock.pending, 0)
  t.strictSame(events, [])
})

t.test('stays invalid when a renewal ends after the stop', async (t) => {
  const { lease, clock, events } = prepare()
  await lease.acquire()
  const renewed = lease.renew()
  lease.stop()
  t.notOk(await renewed)
  t.notOk(lease.valid)
  t.equal(clock.pending, 0)
  await clock.pass(2 * timing.lease)
  t.strictSame(events, [])
})
