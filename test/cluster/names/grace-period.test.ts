import t from 'tap'
import { TestRegister } from '../fixtures/register.js'
import { Generations } from '../../../lib/cluster/names/generations.js'
import { GracePeriod } from '../../../lib/cluster/names/grace-period.js'
import { timings } from '../../../lib/cluster/timing.js'

const timing = timings.default

function prepare () {
  const { clock, store, register } = new TestRegister()
  const generations = new Generations({ clock, register, random: () => 0.5, durable: false })
  const scene = { acquires: true }
  const settling = new GracePeriod({ clock, timing, generations, lease: { acquire: async () => scene.acquires } })
  const write = (id: string, settled = false): void => { store.write('generation', { id, settled, base: 1e15 }) }
  write('x')
  const pause = (ms: number): Promise<void> => new Promise((resolve) => { clock.after(ms, resolve) })
  /** A claim that waits. */
  const ask = (): { id?: string, error?: unknown } => {
    const state: { id?: string, error?: unknown } = {}
    settling.waitUntilOver(pause).then(({ id }) => { state.id = id }, (error: unknown) => { state.error = error })
    return state
  }
  return { clock, store, scene, settling, write, ask }
}

t.test('does not wait in a generation that is settled', async (t) => {
  const { ask, clock, write } = prepare()
  write('x', true)
  const answer = ask()
  await clock.pass(0)
  t.equal(answer.id, 'x')
})

t.test('waits for the time of a take-over since this node first read the generation, and settles it for all', async (t) => {
  const { ask, clock, store } = prepare()
  const one = ask()
  await clock.pass(5000)
  const two = ask()
  await clock.pass(timing.breakLease - 5000)
  t.strictSame([one.id, two.id], [undefined, undefined])
  t.match(store.read('generation'), { settled: false })
  await clock.pass(timing.renew / 4)
  t.strictSame([one.id, two.id], ['x', 'x'])
  t.match(store.read('generation'), { id: 'x', settled: true })
})

t.test('counts the time from when the node joined: a claim after that does not wait', async (t) => {
  const { ask, clock, store, settling } = prepare()
  settling.follow()
  await clock.pass(timing.breakLease + 1)
  t.match(store.read('generation'), { settled: true }, 'it is settled though nobody has claimed a name')
  const answer = ask()
  await clock.pass(0)
  t.equal(answer.id, 'x')
  t.equal(clock.pending, 0)
})

t.test('begins anew with another generation, which it sees when the engine is back', async (t) => {
  const { ask, clock, settling, write } = prepare()
  settling.follow()
  await clock.pass(timing.breakLease - 1000)
  write('y')
  settling.follow()
  const answer = ask()
  await clock.pass(timing.breakLease)
  t.equal(answer.id, undefined)
  await clock.pass(timing.renew / 4)
  t.equal(answer.id, 'y')
})

t.test('goes on where another node settled a third generation meanwhile', async (t) => {
  const { ask, clock, store, settling, write } = prepare()
  settling.follow()
  await clock.pass(timing.breakLease)
  // Read before it was replaced.
  store.before('get', () => {})
  store.before('get', () => { write('y') })
  await clock.pass(1)
  t.match(store.read('generation'), { id: 'y', settled: false })
  const answer = ask()
  await clock.pass(timing.breakLease + timing.renew)
  t.equal(answer.id, 'y')
})

t.test('reads again later when the engine does not answer', async (t) => {
  const { clock, store, settling } = prepare()
  store.away = true
  settling.follow()
  await clock.pass(timing.renew - 1)
  store.away = false
  const { asked } = store
  await clock.pass(1)
  t.ok(store.asked > asked)
  settling.close()
  t.equal(clock.pending, 0)
})

t.test('reads nothing any more when it is closed', async (t) => {
  const { clock, settling } = prepare()
  settling.follow()
  settling.close()
  await clock.pass(0)
  t.equal(clock.pending, 0)
})

t.test('rejects a claim whose node cannot renew its lease meanwhile', async (t) => {
  const { ask, clock, scene } = prepare()
  scene.acquires = false
  const answer = ask()
  await clock.pass(600)
  t.match(answer.error, { code: 'FST_CLUSTER_UNAVAILABLE', headers: { 'retry-after': '5' } })
})
