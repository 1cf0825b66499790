import t from 'tap'
import { Pauses } from '../../../lib/cluster/names/pauses.js'
import { Register } from '../../../lib/cluster/register.js'
import { LeaseBreaker } from '../../../lib/cluster/names/lease-breaker.js'
import { timings } from '../../../lib/cluster/timing.js'
import { Calm, Machine, World } from '../simulator.js'
import type { LeaseRecord, NameRecord } from '../../../lib/cluster/names/records.js'
import type { RegisterEntry, Transport } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

const record: NameRecord = { pid: '1@a.x' as Pid, node: 'a', incarnation: 5, base: 1, claim: 'x' }

function setUp () {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  const store: { lease: RegisterEntry | undefined, stale: RegisterEntry | undefined, broken: LeaseRecord | undefined, keeps: boolean } = { lease: undefined, stale: undefined, broken: undefined, keeps: false }
  const transport = {
    get: async () => store.stale ?? store.lease,
    async cas (key: string, value: Uint8Array, revision: number) {
      if (key !== 'fwr.lease.a' || revision !== (store.lease?.revision ?? 0)) return 0
      store.broken = JSON.parse(Buffer.from(value).toString()) as LeaseRecord
      if (store.keeps) store.lease = { value, revision: revision + 1 }
      return revision + 1
    }
  } as unknown as Transport
  const members = new Map<string, { incarnation: number, state: 'up' | 'down', hasLeft: boolean }>()
  const breaker = new LeaseBreaker({
    clock: machine, timing: timings.default, register: new Register(transport, machine, 'fwr.', 2000), membership: { find: (node) => members.get(node) }, node: 'b', incarnation: 9
  })
  const pauses = new Pauses(machine)
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
    /** The lease as its node has renewed it. */
    renew (beat: number, revision: number, more: Partial<LeaseRecord> = {}): RegisterEntry {
      store.lease = { value: Buffer.from(JSON.stringify({ incarnation: 5, beat, broken: false, ...more })), revision }
      return store.lease
    },
    /** A claim, and how long it took. */
    async claim (): Promise<{ readonly broken: boolean, readonly after: number }> {
      const from = world.now
      const answer: { broken?: boolean } = {}
      breaker.breakLease(record, pause).then((broken) => { answer.broken = broken }, t.fail)
      while (answer.broken === undefined) await run(20)
      return { broken: answer.broken, after: world.now - from }
    }
  }
}

t.test('while its node is up, a lease is looked at, and left alone', async (t) => {
  const { members, renew, claim, store } = setUp()
  members.set('a', { incarnation: 5, state: 'up', hasLeft: false })
  renew(1, 1)
  t.match(await claim(), { broken: false, after: 20 })
  t.equal(store.broken, undefined)
})

t.test('the seconds count from the first claim that saw it as it is', async (t) => {
  const { members, renew, claim, run, store } = setUp()
  members.set('a', { incarnation: 5, state: 'up', hasLeft: false })
  renew(1, 1)
  await claim()
  await run(1000)
  renew(2, 2)
  await claim()
  await run(3000)
  members.set('a', { incarnation: 5, state: 'down', hasLeft: false })
  const { broken, after } = await claim()
  const left = timings.default.breakLease - 3000
  t.equal(broken, true)
  t.ok(after > left - 100 && after < left + 100, `after ${after} ms`)
  t.strictSame(store.broken, { incarnation: 5, beat: 3, broken: true })
})

t.test('a node that is up and has not renewed for long holds nothing any more', async (t) => {
  const { members, renew, claim, run } = setUp()
  members.set('a', { incarnation: 5, state: 'up', hasLeft: false })
  renew(1, 1)
  t.match(await claim(), { broken: false })
  await run(timings.default.breakLease + 100)
  t.match(await claim(), { broken: true, after: 20 })
})

t.test('who breaks a lease at the same time as others, for other names of its node, is not refused', async (t) => {
  const { members, renew, breaker, run, store, pause } = setUp()
  members.set('a', { incarnation: 5, state: 'down', hasLeft: true })
  renew(1, 1)
  store.keeps = true
  const answers = Promise.all([1, 2, 3, 4].map(() => breaker.breakLease(record, pause)))
  await run(100)
  t.strictSame(await answers, [true, true, true, true])
  t.match(store.broken, { beat: 5, broken: true })
})

t.test('a read of the past is not believed, however often', async (t) => {
  const { members, renew, claim, store } = setUp()
  members.set('a', { incarnation: 5, state: 'down', hasLeft: true })
  store.stale = renew(1, 1)
  renew(2, 2)
  t.match(await claim(), { broken: false })
  t.equal(store.broken, undefined)
})

t.test('a revision that a new store gave again is no sight of the old one', async (t) => {
  const { renew, claim, run, store, members } = setUp()
  members.set('a', { incarnation: 5, state: 'up', hasLeft: false })
  renew(7, 3)
  await claim()
  await run(timings.default.breakLease - 100)
  renew(11, 3)
  await run(200)
  t.match(await claim(), { broken: false })
  await run(timings.default.breakLease + 100)
  renew(1, 3, { incarnation: 4 })
  t.match(await claim(), { broken: false }, 'nor is one of another incarnation')
  t.equal(store.broken, undefined)
})

t.test('one that is renewed while it is waited for is there', async (t) => {
  const { renew, run, store, breaker, pause } = setUp()
  renew(1, 1)
  const claim = breaker.breakLease(record, pause)
  await run(3000)
  renew(2, 2)
  await run(1000)
  t.equal(await claim, false)
  t.equal(store.broken, undefined)
})

t.test('a lease that was renewed behind a read of the past is not broken', async (t) => {
  const { renew, claim, store } = setUp()
  store.stale = renew(1, 1)
  renew(2, 2)
  t.match(await claim(), { broken: false })
  t.equal(store.broken, undefined)
})

t.test('nobody waits for a node that is gone, a lease that is broken or there is none of', async (t) => {
  const gone = setUp()
  gone.members.set('a', { incarnation: 5, state: 'down', hasLeft: true })
  gone.renew(4, 4)
  t.match(await gone.claim(), { broken: true, after: 20 })
  const broken = setUp()
  broken.renew(4, 4, { broken: true })
  t.match(await broken.claim(), { broken: true, after: 20 })
  const none = setUp()
  t.match(await none.claim(), { broken: true, after: 20 })
  t.strictSame(none.store.broken, { incarnation: 5, beat: 1, broken: true })
  const later = setUp()
  later.renew(1, 1, { incarnation: 6 })
  t.match(await later.claim(), { broken: true, after: 20 })
  t.equal(later.store.broken, undefined, 'that of this incarnation can never be renewed')
})

t.test('a node is gone when it has left, or was started anew; this one when it is a later one', async (t) => {
  const { members, breaker } = setUp()
  t.equal(breaker.isGone(record), false)
  for (const [incarnation, gone, expected] of [[5, false, false], [5, true, true], [6, false, true], [4, true, false]] as const) {
    members.set('a', { incarnation, state: 'up', hasLeft: gone })
    t.equal(breaker.isGone(record), expected)
  }
  t.equal(breaker.isGone({ ...record, node: 'b', incarnation: 8 }), true)
  t.equal(breaker.isGone({ ...record, node: 'b', incarnation: 9 }), false)
})

t.test('what was seen of a node an hour ago is forgotten when another is seen', async (t) => {
  const { members, renew, claim, world, breaker, run, pause } = setUp()
  members.set('a', { incarnation: 5, state: 'up', hasLeft: false }).set('c', { incarnation: 5, state: 'up', hasLeft: false })
  renew(1, 1)
  await claim()
  await world.runUntil(world.now + 61 * 60 * 1000, () => {})
  const other = breaker.breakLease({ ...record, node: 'c' }, pause)
  await run(20)
  t.equal(await other, false)
  t.match(await claim(), { broken: false }, 'it is seen for the first time')
  const again = breaker.breakLease({ ...record, node: 'c' }, pause)
  await run(20)
  t.equal(await again, false)
})
