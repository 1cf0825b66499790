// A scrape does the same work however many processes and connections there are. Counted: the steps
// of all iterations, which every loop over a collection of processes would take.
import * as client from 'prom-client'
import t from 'tap'
import { Rig } from '../connection/transports/clients.js'
import { MemoryTransport } from '../connection/transports/memory-transport.js'
import { collect, observe } from '../../lib/metrics/index.js'
import type { OpenTelemetryMeter } from '../../lib/metrics/index.js'

type Method = (this: never, ...args: never[]) => unknown

const iterators = [new Map().entries(), new Set().values(), [].values()]
  .map((iterator) => Object.getPrototypeOf(iterator) as Record<string, Method>)
const methods = [
  'forEach', 'map', 'filter', 'flatMap', 'some', 'every', 'find', 'findIndex', 'reduce', 'slice'
]

/** The steps of the iterations in a task, by `for`, by a spread, or by a method with a callback. */
async function stepsOf (task: () => unknown): Promise<number> {
  let steps = 0
  const undo: Array<() => void> = []
  const replace = (
    owner: Record<string, Method>, name: string, count: (self: unknown) => number
  ): void => {
    const method = owner[name]
    owner[name] = function (this: unknown, ...args: unknown[]) {
      steps += count(this)
      return Reflect.apply(method, this, args)
    } as Method
    undo.push(() => { owner[name] = method })
  }
  for (const prototype of iterators) replace(prototype, 'next', () => 1)
  for (const { prototype } of [Map, Set]) {
    replace(prototype as never, 'forEach', (self) => (self as Set<unknown>).size)
  }
  for (const name of methods) {
    replace(Array.prototype as never, name, (self) => (self as unknown[]).length)
  }
  try {
    await task()
  } finally {
    for (const restore of undo) restore()
  }
  return steps
}

t.test('a scrape takes as many steps with 1 000 processes as with 10', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  const target = rig.target()
  const rooms = processes.keyed('room', { start: (self) => self.serve({}) })
  const add = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      processes.spawn((self) => self.serve({}))
      rig.connect(target, new MemoryTransport(rig.clock, 50))
      processes.send(rooms.key(`${i} of ${count}`), 'hello')
    }
    await rig.settle()
  }
  const registry = new client.Registry()
  collect(processes, client, { registry })
  let report = (): void => {}
  const meter: OpenTelemetryMeter = {
    createObservableGauge: () => ({}),
    createObservableCounter: () => ({}),
    addBatchObservableCallback (callback: (result: object) => void) {
      report = () => { callback({ observe () {} }) }
    }
  }
  observe(processes, meter)

  /** The least of some counts: it has nothing of a file that ran in this process before. */
  const least = async (task: () => unknown): Promise<number> => {
    const counts: number[] = []
    for (let i = 0; i < 5; i++) counts.push(await stepsOf(task))
    return Math.min(...counts)
  }
  const measure = async () => ({
    stats: await least(() => processes.stats()),
    observe: await least(report),
    collect: await least(() => registry.metrics())
  })
  await add(10)
  await measure() // the registry keeps keys that it has made
  const few = await measure()
  await add(990)
  t.equal(processes.stats().alive, 3001)
  t.strictSame(await measure(), few)
  t.ok(few.observe > 0 && few.collect > few.observe)
  t.ok(await stepsOf(() => { for (const pid of processes.list()) pid.at(0) }) > 2000)
})
