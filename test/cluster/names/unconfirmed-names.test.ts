import t from 'tap'
import { nameKey } from '../../../lib/cluster/names/records.js'
import { UnconfirmedNames } from '../../../lib/cluster/names/unconfirmed-names.js'
import { Register } from '../../../lib/cluster/register.js'
import { timings } from '../../../lib/cluster/timing.js'
import { registerContext } from '../fixtures/register.js'
import { Calm, Machine, World } from '../simulation/world.js'
import type { NameRecord } from '../../../lib/cluster/names/records.js'
import type { RegisterEntry, ClusterTransport } from '../../../types/cluster.js'

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
  } as unknown as ClusterTransport
  const held = new Set<string>()
  const acquiring = new Set<string>()
  const context = registerContext(transport, { clock: machine, prefix: 'fwr' })
  const unconfirmed = new UnconfirmedNames(context, new Register(context), {
    isHeld: (name) => held.has(name),
    isBeingAcquired: (name) => acquiring.has(name)
  })
  const stand = (name: string, node = 'a'): void => {
    const record: Partial<NameRecord> = { node, incarnation: 1 }
    store.set(`fwr.${nameKey(name)}`, { value: Buffer.from(JSON.stringify(record)), revision: 1 })
  }
  const run = async (ms: number): Promise<void> => {
    for (const end = world.now + ms; world.now < end;) {
      await new Promise(setImmediate)
      await world.runUntil(Math.min(end, world.now + 500), () => {})
    }
    await new Promise(setImmediate)
  }
  return { machine, store, engine, held, acquiring, unconfirmed, stand, run }
}

t.test(
  'deletes own records from the register, and late ones too, until the time is over',
  async (t) => {
    const { unconfirmed, stand, store, run, machine } = setUp()
    stand('one')
    stand('two', 'b')
    unconfirmed.add('one')
    unconfirmed.add('two')
    await run(2000)
    t.strictSame([...store.keys()], [`fwr.${nameKey('two')}`], 'the record of another node stays')
    stand('one')
    await run(2000)
    t.equal(store.size, 1, 'a late record is deleted too')
    t.equal(unconfirmed.size, 2)
    await run(timings.default.breakLease)
    t.equal(unconfirmed.size + machine.timers, 0)
  }
)

t.test('leaves names alone that are held or being acquired', async (t) => {
  const { unconfirmed, stand, store, held, acquiring, engine, run } = setUp()
  stand('one')
  stand('two')
  held.add('one')
  acquiring.add('two')
  for (const name of ['one', 'two']) unconfirmed.add(name)
  await run(6000)
  t.equal(store.size, 2)
  t.equal(engine.reads, 0)
  held.clear()
  acquiring.clear()
  // This node acquires them between the read and its answer.
  engine.meanwhile = () => {
    held.add('one')
    unconfirmed.confirm('one')
    acquiring.add('two')
  }
  await run(2000)
  t.equal(store.size, 2)
  t.equal(unconfirmed.size, 1)
  unconfirmed.close()
})

t.test(
  'deletes a released record at once, or later after a conflict or without an engine',
  async (t) => {
    const { unconfirmed, stand, store, engine, run } = setUp()
    stand('one')
    await unconfirmed.release('one', 1)
    t.equal(store.size + unconfirmed.size, 0)
    stand('one')
    engine.conflicts = 1
    await unconfirmed.release('one', 1)
    t.equal(store.size, 0, 'it was read, and is an own record')
    t.equal(unconfirmed.size, 1)
    stand('two')
    engine.away = true
    await unconfirmed.release('two', 1)
    await run(3000)
    t.equal(store.size, 1)
    engine.away = false
    await run(2000)
    t.equal(store.size, 0)
    unconfirmed.close()
  }
)

t.test('keeps a released name that is being acquired again', async (t) => {
  const { unconfirmed, stand, acquiring } = setUp()
  stand('one')
  acquiring.add('one')
  await unconfirmed.release('one', 1)
  t.equal(unconfirmed.size, 1)
  unconfirmed.confirm('one')
  t.equal(unconfirmed.size, 0)
  unconfirmed.close()
})

t.test('sweeps nothing after the close', async (t) => {
  const { unconfirmed, stand, engine, machine, run } = setUp()
  stand('one')
  unconfirmed.add('one')
  engine.meanwhile = () => { unconfirmed.close() }
  await run(2000)
  unconfirmed.add('two')
  await run(10)
  t.equal(machine.timers, 0)
  unconfirmed.close()
  t.equal(unconfirmed.size, 0)
})
