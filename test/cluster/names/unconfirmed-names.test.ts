import t from 'tap'
import { nameKey } from '../../../lib/cluster/names/records.js'
import { UnconfirmedNames } from '../../../lib/cluster/names/unconfirmed-names.js'
import { Register } from '../../../lib/cluster/register.js'
import { timings } from '../../../lib/cluster/timing.js'
import { Calm, Machine, World } from '../simulator.js'
import type { NameRecord } from '../../../lib/cluster/names/records.js'
import type { RegisterEntry, Transport } from '../../../types/cluster.js'

function setUp () {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  const store = new Map<string, RegisterEntry>()
  const engine = { away: false, reads: 0, conflicts: 0, meanwhile () {} }
  const check = (): void => { if (engine.away) throw new Error('it is away') }
  const transport = {
    async get (key: string) {
      check()
      engine.reads++
      engine.meanwhile()
      return store.get(key)
    },
    async cas (key: string, value: Uint8Array | undefined, revision: number) {
      check()
      if (engine.conflicts-- > 0 || store.get(key)?.revision !== revision) return 0
      store.delete(key)
      return revision + 1
    }
  } as unknown as Transport
  const held = new Set<string>()
  const claimed = new Set<string>()
  const orphans = new UnconfirmedNames({
    clock: machine,
    timing: timings.default,
    register: new Register(transport, machine, 'fwr.', 2000),
    isOwnRecord: ({ node }) => node === 'a',
    isHeld: (name) => held.has(name),
    isBeingAcquired: (name) => claimed.has(name)
  })
  const stand = (name: string, node = 'a'): void => {
    const record: Partial<NameRecord> = { node }
    store.set(`fwr.${nameKey(name)}`, { value: Buffer.from(JSON.stringify(record)), revision: 1 })
  }
  const run = async (ms: number): Promise<void> => {
    for (const end = world.now + ms; world.now < end;) {
      await new Promise(setImmediate)
      await world.runUntil(Math.min(end, world.now + 500), () => {})
    }
    await new Promise(setImmediate)
  }
  return { machine, store, engine, held, claimed, orphans, stand, run }
}

t.test('what stands there as ours is taken out, and looked after until it is certain', async (t) => {
  const { orphans, stand, store, run, machine } = setUp()
  stand('one')
  stand('two', 'b')
  orphans.add('one')
  orphans.add('two')
  await run(2000)
  t.strictSame([...store.keys()], [`fwr.${nameKey('two')}`], 'that of another stays')
  stand('one')
  await run(2000)
  t.equal(store.size, 1, 'what a late answer brought is taken out too')
  t.equal(orphans.size, 2)
  await run(timings.default.breakLease)
  t.equal(orphans.size + machine.timers, 0)
})

t.test('what is held or claimed meanwhile is left alone', async (t) => {
  const { orphans, stand, store, held, claimed, engine, run } = setUp()
  stand('one')
  stand('two')
  held.add('one')
  claimed.add('two')
  for (const name of ['one', 'two']) orphans.add(name)
  await run(6000)
  t.equal(store.size, 2)
  t.equal(engine.reads, 0)
  held.clear()
  claimed.clear()
  // They become ours between the question and its answer.
  engine.meanwhile = () => {
    held.add('one')
    orphans.confirm('one')
    claimed.add('two')
  }
  await run(2000)
  t.equal(store.size, 2)
  t.equal(orphans.size, 1)
  orphans.close()
})

t.test('what is given back is out at once; with a conflict, or without an engine, later', async (t) => {
  const { orphans, stand, store, engine, run } = setUp()
  stand('one')
  await orphans.release('one', 1)
  t.equal(store.size + orphans.size, 0)
  stand('one')
  engine.conflicts = 1
  await orphans.release('one', 1)
  t.equal(store.size, 0, 'it was read, and is ours')
  t.equal(orphans.size, 1)
  stand('two')
  engine.away = true
  await orphans.release('two', 1)
  await run(3000)
  t.equal(store.size, 1)
  engine.away = false
  await run(2000)
  t.equal(store.size, 0)
  orphans.close()
})

t.test('a name that is claimed again while it is given back is looked after further', async (t) => {
  const { orphans, stand, claimed } = setUp()
  stand('one')
  claimed.add('one')
  await orphans.release('one', 1)
  t.equal(orphans.size, 1)
  orphans.confirm('one')
  t.equal(orphans.size, 0)
  orphans.close()
})

t.test('after the close nothing is swept', async (t) => {
  const { orphans, stand, engine, machine, run } = setUp()
  stand('one')
  orphans.add('one')
  engine.meanwhile = () => { orphans.close() }
  await run(2000)
  orphans.add('two')
  await run(10)
  t.equal(machine.timers, 0)
  orphans.close()
  t.equal(orphans.size, 0)
})
