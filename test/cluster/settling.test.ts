import t from 'tap'
import { Pauses } from '../../lib/cluster/pauses.js'
import { Register } from '../../lib/cluster/register.js'
import { Settling } from '../../lib/cluster/settling.js'
import { timings } from '../../lib/cluster/timing.js'
import { Calm, Machine, World } from './simulator.js'
import type { Generation } from '../../lib/cluster/lease.js'
import type { Transport } from '../../types/cluster.js'

function setUp (first: Generation) {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  const store = { generation: first, revision: 1, acquires: true, stale: undefined as Generation | undefined }
  const transport = {
    get: async () => ({ value: Buffer.from(JSON.stringify(store.stale ?? store.generation)), revision: store.revision }),
    async cas (key: string, value: Uint8Array, revision: number) {
      if (key !== 'fwr.generation' || revision !== store.revision) return 0
      store.generation = JSON.parse(Buffer.from(value).toString()) as Generation
      return ++store.revision
    }
  } as unknown as Transport
  const settling = new Settling({ clock: machine, timing: timings.default, register: new Register(transport, machine, 'fwr.', 2000) }, {
    store: async () => store.generation,
    acquire: async () => store.acquires
  }, new Pauses(machine))
  const run = async (ms: number): Promise<void> => {
    for (const end = world.now + ms; world.now < end;) {
      await new Promise(setImmediate)
      await world.runUntil(Math.min(end, world.now + 100), () => {})
    }
    await new Promise(setImmediate)
  }
  const ask = (): { readonly id: string | undefined } => {
    const state: { id: string | undefined } = { id: undefined }
    settling.settled().then((id) => { state.id = id }, t.fail)
    return state
  }
  return { store, ask, run }
}

t.test('a store that is settled is not waited for', async (t) => {
  const { ask, run } = setUp({ id: 'x', settled: true })
  const answer = ask()
  await run(10)
  t.equal(answer.id, 'x')
})

t.test('a new one is, for 8 s from when it was first seen, and then it is settled for all', async (t) => {
  const { ask, run, store } = setUp({ id: 'x', settled: false })
  const one = ask()
  await run(5000)
  const two = ask()
  await run(2900)
  t.equal(one.id, undefined)
  t.equal(store.generation.settled, false)
  await run(1200)
  t.strictSame([one.id, two.id], ['x', 'x'])
  t.strictSame(store.generation, { id: 'x', settled: true })
})

t.test('the seconds begin anew with the next one', async (t) => {
  const { ask, run, store } = setUp({ id: 'x', settled: false })
  const answer = ask()
  await run(6000)
  store.generation = { id: 'y', settled: false }
  await run(6000)
  t.equal(answer.id, undefined)
  await run(3000)
  t.equal(answer.id, 'y')
})

t.test('what is settled is the one that was waited for, and no other', async (t) => {
  const { ask, run, store } = setUp({ id: 'x', settled: false })
  const answer = ask()
  store.stale = { id: 'w', settled: false }
  await run(9000)
  t.equal(store.generation.settled, false)
  store.stale = undefined
  await run(600)
  t.equal(answer.id, 'x')
})

t.test('who cannot hold a lease meanwhile does not wait on', async (t) => {
  const { ask, run, store } = setUp({ id: 'x', settled: false })
  store.acquires = false
  const answer = ask()
  await run(600)
  t.equal(answer.id, 'x')
})
