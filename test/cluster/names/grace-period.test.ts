import t from 'tap'
import { TestRegister } from '../fixtures/register.js'
import { Generations } from '../../../lib/cluster/names/generations.js'
import { GracePeriod } from '../../../lib/cluster/names/grace-period.js'
import { timings } from '../../../lib/cluster/timing.js'

const timing = timings.default

function prepare () {
  const { clock, store, context, register } = new TestRegister()
  const generations = new Generations(context, register)
  const scene = { acquires: true }
  const lease = { acquire: async () => scene.acquires }
  const gracePeriod = new GracePeriod(context, generations, lease)
  const write = (id: string, settled = false): void => {
    store.write('generation', { id, settled, base: 1e15 })
  }
  write('x')
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      clock.after(ms, resolve)
    })
  /** A pending attempt. */
  const ask = (): { id?: string, error?: unknown } => {
    const state: { id?: string, error?: unknown } = {}
    gracePeriod.waitUntilOver(pause).then(
      ({ id }) => {
        state.id = id
      },
      (error: unknown) => {
        state.error = error
      }
    )
    return state
  }
  return { clock, store, scene, gracePeriod, write, ask }
}

t.test('does not wait when the grace period is over', async (t) => {
  const { ask, clock, write } = prepare()
  write('x', true)
  const answer = ask()
  await clock.pass(0)
  t.equal(answer.id, 'x')
})

t.test(
  'waits from the first read of the generation, then ends the grace period for all nodes',
  async (t) => {
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
  }
)

t.test(
  'counts the time from when the node joined, so that a later attempt does not wait',
  async (t) => {
    const { ask, clock, store, gracePeriod } = prepare()
    gracePeriod.follow()
    await clock.pass(timing.breakLease + 1)
    t.match(store.read('generation'), { settled: true }, 'it is over although no name was acquired')
    const answer = ask()
    await clock.pass(0)
    t.equal(answer.id, 'x')
    t.equal(clock.pending, 0)
  }
)

t.test('starts again when the engine is back with another generation', async (t) => {
  const { ask, clock, gracePeriod, write } = prepare()
  gracePeriod.follow()
  await clock.pass(timing.breakLease - 1000)
  write('y')
  gracePeriod.follow()
  const answer = ask()
  await clock.pass(timing.breakLease)
  t.equal(answer.id, undefined)
  await clock.pass(timing.renew / 4)
  t.equal(answer.id, 'y')
})

t.test('continues when the register has another generation at the end of the period', async (t) => {
  const { ask, clock, store, gracePeriod, write } = prepare()
  gracePeriod.follow()
  await clock.pass(timing.breakLease)
  // It was read before it was replaced.
  store.before('get', () => {})
  store.before('get', () => { write('y') })
  await clock.pass(1)
  t.match(store.read('generation'), { id: 'y', settled: false })
  const answer = ask()
  await clock.pass(timing.breakLease + timing.renew)
  t.equal(answer.id, 'y')
})

t.test('reads again later when the engine does not answer', async (t) => {
  const { clock, store, gracePeriod } = prepare()
  store.away = true
  gracePeriod.follow()
  await clock.pass(timing.renew - 1)
  store.away = false
  const { asked } = store
  await clock.pass(1)
  t.ok(store.asked > asked)
  gracePeriod.close()
  t.equal(clock.pending, 0)
})

t.test('reads nothing after the close', async (t) => {
  const { clock, gracePeriod } = prepare()
  gracePeriod.follow()
  gracePeriod.close()
  await clock.pass(0)
  t.equal(clock.pending, 0)
})

t.test('rejects an attempt when the lease cannot be renewed meanwhile', async (t) => {
  const { ask, clock, scene } = prepare()
  scene.acquires = false
  const answer = ask()
  await clock.pass(600)
  t.match(answer.error, { code: 'FST_CLUSTER_UNAVAILABLE', headers: { 'retry-after': '5' } })
})
