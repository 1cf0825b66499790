import t from 'tap'
import { Pauses } from '../../../lib/cluster/names/pauses.js'
import { Register } from '../../../lib/cluster/register.js'
import { LeaseBreaker } from '../../../lib/cluster/names/lease-breaker.js'
import { timings } from '../../../lib/cluster/timing.js'
import { registerContext } from '../fixtures/register.js'
import { Calm, Machine, World } from '../simulation/world.js'
import type { LeaseRecord, NameRecord } from '../../../lib/cluster/names/records.js'
import type { RegisterEntry, ClusterTransport } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

const record: NameRecord = { pid: '1@a.x' as Pid, node: 'a', incarnation: 5, base: 1, claim: 'x' }

function setUp () {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  const store: {
    lease: RegisterEntry | undefined
    stale: RegisterEntry | undefined
    broken: LeaseRecord | undefined
    keeps: boolean
  } = { lease: undefined, stale: undefined, broken: undefined, keeps: false }
  const transport = {
    get: async () => store.stale ?? store.lease,
    async cas (key: string, value: Uint8Array, revision: number) {
      if (key !== 'fwr.lease.a' || revision !== (store.lease?.revision ?? 0)) return 0
      store.broken = JSON.parse(Buffer.from(value).toString()) as LeaseRecord
      if (store.keeps) store.lease = { value, revision: revision + 1 }
      return revision + 1
    }
  } as unknown as ClusterTransport
  const members = new Map<string, { incarnation: number, state: 'up' | 'down', hasLeft: boolean }>()
  const context = registerContext(transport, {
    clock: machine, prefix: 'fwr', node: 'b', incarnation: 9
  })
  const breaker = new LeaseBreaker(
    context, new Register(context), { find: (node) => members.get(node) }
  )
  const pauses = new Pauses(context)
  const pause = (ms: number): Promise<void> => pauses.start(ms)
  const run = async (ms: number): Promise<void> => {
    for (const end = world.now + ms; world.now < end;) {
      await new Promise(setImmediate)
      await world.runUntil(Math.min(end, world.now + 100), () => {})
    }
    await new Promise(setImmediate)
  }
  return {
    world,
    store,
    members,
    breaker,
    pause,
    run,
    /** The lease after its node renewed it. */
    renew (beat: number, revision: number, more: Partial<LeaseRecord> = {}): RegisterEntry {
      store.lease = {
        value: Buffer.from(JSON.stringify({ incarnation: 5, beat, broken: false, ...more })),
        revision
      }
      return store.lease
    },
    /** An attempt, and its duration. */
    async attempt (): Promise<{ readonly broken: boolean, readonly after: number }> {
      const from = world.now
      const answer: { broken?: boolean } = {}
      breaker.breakLease(record, pause).then((broken) => { answer.broken = broken }, t.fail)
      while (answer.broken === undefined) await run(20)
      return { broken: answer.broken, after: world.now - from }
    }
  }
}

t.test('does not break the lease of a node that is up', async (t) => {
  const { members, renew, attempt, store } = setUp()
  members.set('a', { incarnation: 5, state: 'up', hasLeft: false })
  renew(1, 1)
  t.match(await attempt(), { broken: false, after: 20 })
  t.equal(store.broken, undefined)
})

t.test('counts the time from the first attempt that saw the lease unchanged', async (t) => {
  const { members, renew, attempt, run, store } = setUp()
  members.set('a', { incarnation: 5, state: 'up', hasLeft: false })
  renew(1, 1)
  await attempt()
  await run(1000)
  renew(2, 2)
  await attempt()
  await run(3000)
  members.set('a', { incarnation: 5, state: 'down', hasLeft: false })
  const { broken, after } = await attempt()
  const left = timings.default.breakLease - 3000
  t.equal(broken, true)
  t.ok(after > left - 100 && after < left + 100, `after ${after} ms`)
  t.strictSame(store.broken, { incarnation: 5, beat: 3, broken: true })
})

t.test('breaks a lease that was not renewed for too long, although its node is up', async (t) => {
  const { members, renew, attempt, run } = setUp()
  members.set('a', { incarnation: 5, state: 'up', hasLeft: false })
  renew(1, 1)
  t.match(await attempt(), { broken: false })
  await run(timings.default.breakLease + 100)
  t.match(await attempt(), { broken: true, after: 20 })
})

t.test('frees all names when several attempts break one lease at the same time', async (t) => {
  const { members, renew, breaker, run, store, pause } = setUp()
  members.set('a', { incarnation: 5, state: 'down', hasLeft: true })
  renew(1, 1)
  store.keeps = true
  const answers = Promise.all([1, 2, 3, 4].map(() => breaker.breakLease(record, pause)))
  await run(100)
  t.strictSame(await answers, [true, true, true, true])
  t.match(store.broken, { beat: 5, broken: true })
})

t.test('does not break a lease when reads are stale', async (t) => {
  const { members, renew, attempt, store } = setUp()
  members.set('a', { incarnation: 5, state: 'down', hasLeft: true })
  store.stale = renew(1, 1)
  renew(2, 2)
  t.match(await attempt(), { broken: false })
  t.equal(store.broken, undefined)
})

t.test('starts the time again when a lost register reuses a revision', async (t) => {
  const { renew, attempt, run, store, members } = setUp()
  members.set('a', { incarnation: 5, state: 'up', hasLeft: false })
  renew(7, 3)
  await attempt()
  await run(timings.default.breakLease - 100)
  renew(11, 3)
  await run(200)
  t.match(await attempt(), { broken: false })
  await run(timings.default.breakLease + 100)
  renew(1, 3, { incarnation: 4 })
  t.match(await attempt(), { broken: false }, 'another incarnation starts the time again too')
  t.equal(store.broken, undefined)
})

t.test('keeps a lease that is renewed during the wait', async (t) => {
  const { renew, run, store, breaker, pause } = setUp()
  renew(1, 1)
  const attempt = breaker.breakLease(record, pause)
  await run(3000)
  renew(2, 2)
  await run(1000)
  t.equal(await attempt, false)
  t.equal(store.broken, undefined)
})

t.test('does not break a lease that was renewed after a stale read', async (t) => {
  const { renew, attempt, store } = setUp()
  store.stale = renew(1, 1)
  renew(2, 2)
  t.match(await attempt(), { broken: false })
  t.equal(store.broken, undefined)
})

t.test(
  'does not wait when the node is gone or the lease is broken, missing or of a later incarnation',
  async (t) => {
    const gone = setUp()
    gone.members.set('a', { incarnation: 5, state: 'down', hasLeft: true })
    gone.renew(4, 4)
    t.match(await gone.attempt(), { broken: true, after: 20 })
    const broken = setUp()
    broken.renew(4, 4, { broken: true })
    t.match(await broken.attempt(), { broken: true, after: 20 })
    const none = setUp()
    t.match(await none.attempt(), { broken: true, after: 20 })
    t.strictSame(none.store.broken, { incarnation: 5, beat: 1, broken: true })
    const later = setUp()
    later.renew(1, 1, { incarnation: 6 })
    t.match(await later.attempt(), { broken: true, after: 20 })
    t.equal(later.store.broken, undefined, 'the lease of this incarnation can never be renewed')
  }
)

t.test(
  'says that a node is gone when it has left or a later incarnation has started',
  async (t) => {
    const { members, breaker } = setUp()
    t.equal(breaker.isGone(record), false)
    for (const [incarnation, gone, expected] of [
      [5, false, false],
      [5, true, true],
      [6, false, true],
      [4, true, false]
    ] as const) {
      members.set('a', { incarnation, state: 'up', hasLeft: gone })
      t.equal(breaker.isGone(record), expected)
    }
    t.equal(breaker.isGone({ ...record, node: 'b', incarnation: 8 }), true)
    t.equal(breaker.isGone({ ...record, node: 'b', incarnation: 9 }), false)
  }
)

t.test('deletes observations of an hour ago when another node is observed', async (t) => {
  const { members, renew, attempt, world, breaker, run, pause } = setUp()
  members
    .set('a', { incarnation: 5, state: 'up', hasLeft: false })
    .set('c', { incarnation: 5, state: 'up', hasLeft: false })
  renew(1, 1)
  await attempt()
  await world.runUntil(world.now + 61 * 60 * 1000, () => {})
  const other = breaker.breakLease({ ...record, node: 'c' }, pause)
  await run(20)
  t.equal(await other, false)
  t.match(await attempt(), { broken: false }, 'it is observed for the first time')
  const again = breaker.breakLease({ ...record, node: 'c' }, pause)
  await run(20)
  t.equal(await again, false)
})
