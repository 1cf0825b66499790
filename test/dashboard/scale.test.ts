// 50 000 processes and 10 000 connections in memory, and three viewers.
import t from 'tap'
import { Sampler } from '../../lib/dashboard/sampler/sampler.js'
import { Rig } from '../connection/transports/clients.js'
import { MemoryTransport } from '../connection/transports/memory-transport.js'
import { ticks } from '../properties/clock.js'
import { MemoryViewer } from './viewer.js'
import type { Entity } from '../../lib/process/entity.js'
import type { Story } from '../properties/connections/connection-bench.js'
import type { WatchRequest } from '../../lib/dashboard/index.js'

const processes = 50_000
const connections = 10_000

const requests: WatchRequest[][] = [
  [{ view: 'overview' }, { view: 'processes', sort: '-mailbox', limit: 500 }],
  [{ view: 'overview' }, { view: 'connections', sort: 'target', filter: 'room', limit: 500 }],
  [{ view: 'groups' }, { view: 'supervisors', filter: 'nobody' }, { view: 'ends' }]
]

/** Counts the entities, groups and supervised children that are visited. */
function countVisits ({ runtime }: Rig): { visits: number } {
  const count = { visits: 0 }
  function * counted<T> (items: Iterable<T>): IterableIterator<T> {
    for (const item of items) {
      count.visits++
      yield item
    }
  }
  const { processTable, groupTable, explainer, supervisorTable } = runtime
  const { entities } = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(processTable))
  Object.defineProperty(processTable, 'entities', {
    get () { return counted(entities.get!.call(processTable) as Iterable<Entity>) }
  })
  const { names } = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(groupTable))
  Object.defineProperty(groupTable, 'names', {
    get () { return counted(names.get!.call(groupTable) as Iterable<string>) }
  })
  const { describe } = explainer
  explainer.describe = (record) => {
    count.visits++
    return describe.call(explainer, record)
  }
  const get = supervisorTable.get.bind(supervisorTable)
  supervisorTable.get = (pid) => {
    count.visits++
    return get(pid)
  }
  return count
}

t.test('visits a limited number of entities in a turn, and none without a viewer', async (t) => {
  const rig = new Rig({ mailboxLimit: 1000 })
  const { clock } = rig
  const idle = async (): Promise<void> => { await new Promise(() => {}) }
  const room = rig.processes.spawn(idle, { name: 'room' })
  const children = Array.from({ length: 2000 }, (_, i) => ({ id: `child ${i}`, start: idle }))
  rig.processes.supervise({ name: 'top', children })
  while (rig.processes.stats().aliveBy.process < processes) rig.processes.spawn(idle)
  for (let i = 0; i < connections; i++) {
    const connection = rig.connect({ pid: room } as Story, new MemoryTransport(clock, 50))
    if (i < 3000) rig.processes.groups.join(`group ${i}`, connection.pid)
  }
  await rig.settle()
  for (let i = 0; i < 1000; i++) {
    const pid = rig.processes.spawn(idle)
    rig.processes.exit(pid, `reason ${i}`)
  }
  await rig.settle()
  const { alive } = rig.processes.stats()
  t.ok(alive >= processes + connections)
  const count = countVisits(rig)
  clock.advance(10_000)
  await rig.settle()
  t.equal(count.visits, 0, 'nobody watches')

  const viewers = requests.map((watches) => {
    const viewer = new MemoryViewer(rig)
    watches.forEach((watch) => { viewer.ask(watch) })
    return viewer
  })
  let longest = 0
  let total = 0
  let bytes = 0
  let seen = 0
  /** One turn of the event loop. */
  const turn = async (): Promise<void> => {
    count.visits = 0
    clock.yieldOnce()
    clock.run()
    await ticks()
    longest = Math.max(longest, count.visits)
    total += count.visits
  }
  const seconds = 3
  for (let ms = 0; ms < seconds * 1000; ms += 100) {
    for (let turns = 0; turns < 25; turns++) await turn()
    clock.advance(100)
  }
  for (const { transport } of viewers) {
    seen += transport.received.length
    bytes = Math.max(bytes, transport.received.reduce((sum, text) => sum + text.length, 0))
  }
  t.ok(longest <= 1000, `${longest} in a turn`)
  t.ok(total >= 3 * alive, `${total} in all`)
  t.ok(seen >= 3 + 7 * (seconds - 1), `${seen} messages`)
  t.ok(bytes / seconds < 128 * 1024, `${bytes / seconds} bytes a second`)
  t.match(JSON.parse(viewers[1].transport.received.at(-1)!.slice(1)), { topic: 'answer' })

  for (const { pid, transport } of viewers) {
    transport.leave(1000, '')
    rig.processes.cancel(pid)
  }
  count.visits = 0
  for (let turns = 0; turns < 25; turns++) await turn()
  const rest = total
  clock.advance(60_000)
  for (let turns = 0; turns < 25; turns++) await turn()
  t.equal(total, rest, 'nobody watches any more')
  t.equal(clock.runningTimers, 0)
  t.equal(Sampler.of(rig.runtime).history.since(0).length, seconds - 1 + 1)
  t.comment(`${longest} visits in a turn, ${bytes / seconds} bytes a second to one viewer`)
})
