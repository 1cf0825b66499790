import t from 'tap'
import { TestCluster } from '../nodes.js'
import { until } from '../../helpers.js'
import { buildRuntime, deferred, held, probe, settle } from '../../process/helpers.js'
import { GroupWatchers } from '../../../lib/cluster/groups/group-watchers.js'
import type { GroupListener } from '../../../lib/cluster/groups/group.js'
import type { ClusterMembers } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

const [one, two] = ['1@b.x', '2@b.x'] as Pid[]

function build () {
  const { runtime, processes } = buildRuntime()
  const listeners = new Map<string, Set<GroupListener>>()
  const engine = { fails: false }
  const groups = {
    async watch (group: string, listener: GroupListener): Promise<ClusterMembers> {
      if (engine.fails) throw new Error('it is away')
      listeners.set(group, (listeners.get(group) ?? new Set()).add(listener))
      return { members: [one], missing: [] }
    },
    unwatch (group: string, listener: GroupListener): void {
      const ofGroup = listeners.get(group)!
      ofGroup.delete(listener)
      if (ofGroup.size === 0) listeners.delete(group)
    }
  }
  const change = (group: string, joined: readonly Pid[], left: readonly Pid[] = []): void => {
    for (const listener of listeners.get(group) ?? []) listener({ group, joined, left })
  }
  const watchers = new GroupWatchers(runtime.processTable, runtime.exitSignals, groups)
  return { runtime, processes, listeners, engine, change, watchers }
}

t.test('sends a process each change once, until it stops watching', async (t) => {
  const { processes, change, watchers, listeners } = build()
  const watching = probe(processes)
  t.strictSame(await watchers.watch('room', watching.pid), { members: [one], missing: [] })
  await watchers.watch('room', watching.pid)
  await watchers.watch('hall', watching.pid)
  change('room', [two])
  change('hall', [], [two])
  await watching.until(2)
  t.match(watching.seen, [
    { topic: '@group', payload: { group: 'room', joined: [two], left: [] } },
    { topic: '@group', payload: { group: 'hall', joined: [], left: [two] } }
  ])
  watchers.unwatch('room', watching.pid)
  watchers.unwatch('room', watching.pid)
  t.strictSame([...listeners.keys()], ['hall'])
  watchers.unwatch('hall', watching.pid)
  t.equal(listeners.size, 0)
  change('room', [two])
  await settle()
  t.equal(watching.seen.length, 2)
  processes.exit(watching.pid)
})

t.test('removes waiting changes when the watch ends, or has a new snapshot', async (t) => {
  const { processes, change, watchers } = build()
  const reads = deferred()
  const seen: unknown[] = []
  const pid = processes.spawn(async (self) => {
    await reads.promise
    await self.serve({ '@group': (change) => { seen.push(change.joined) } })
  })
  await watchers.watch('room', pid)
  await watchers.watch('hall', pid)
  change('room', [one])
  await watchers.watch('room', pid)
  change('room', [two])
  change('hall', [two])
  watchers.unwatch('hall', pid)
  t.equal(processes.info(pid)!.mailbox, 1)
  reads.resolve()
  await settle()
  t.strictSame(seen, [[two]])
  processes.exit(pid)
})

t.test('removes a watcher when its process ends', async (t) => {
  const { runtime, processes, watchers, listeners } = build()
  const { pid } = probe(processes)
  await watchers.watch('room', pid)
  await watchers.watch('hall', pid)
  processes.exit(pid)
  t.equal(listeners.size, 0)
  t.strictSame(held(runtime), { alive: 0, relations: 0, names: 0, groups: 0 })
})

t.test('keeps nothing of a watch that was rejected', async (t) => {
  const { runtime, processes, engine, watchers, listeners } = build()
  const { pid } = probe(processes)
  engine.fails = true
  await t.rejects(watchers.watch('room', pid), { message: 'it is away' })
  t.equal(listeners.size, 0)
  t.match(held(runtime), { relations: 0 })
  processes.exit(pid)
})

t.test('drops a watch that is rejected after its process has ended', async (t) => {
  const { runtime, processes, engine, watchers } = build()
  const { pid } = probe(processes)
  engine.fails = true
  const rejected = t.rejects(watchers.watch('room', pid), { message: 'it is away' })
  processes.exit(pid)
  await rejected
  t.match(held(runtime), { alive: 0, relations: 0 })
})

t.test('takes a new snapshot although the process has ended meanwhile', async (t) => {
  const { runtime, processes, watchers, listeners } = build()
  const { pid } = probe(processes)
  await watchers.watch('room', pid)
  const snapshot = watchers.watch('room', pid)
  processes.exit(pid)
  t.match(await snapshot, { members: [one] })
  t.equal(listeners.size, 0)
  t.match(held(runtime), { alive: 0, relations: 0 })
})

t.test('sends nothing to a process whose own end is the change', async (t) => {
  const cluster = new TestCluster(t)
  const [a, b] = [await cluster.node('a'), await cluster.node('b')]
  const { groups } = a.cluster!
  const heard: unknown[] = []
  const listener = ({ left }: { readonly left: readonly Pid[] }): void => { heard.push(...left) }
  const member = a.spawn(async (self) => { await self.receive() })
  t.notOk(await groups.leave('room', member))
  await groups.join('room', member)
  await groups.watch('room', member)
  await b.cluster!.groups.watch('room', listener)
  a.exit(member)
  await until(() => heard.length === 1)
  t.strictSame(heard, [member])
  b.cluster!.groups.unwatch('room', listener)
})

t.test('sends the changes on all nodes, after the snapshot, to a process', async (t) => {
  const cluster = new TestCluster(t)
  const [a, b] = [await cluster.node('a'), await cluster.node('b')]
  const [first, second] = [1, 2].map(() => b.spawn(async (self) => { await self.receive() }))
  await b.cluster!.groups.join('room', first)
  const seen: unknown[] = []
  let snapshot: ClusterMembers | undefined
  const watching = a.spawn(async (self) => {
    snapshot = await self.cluster!.groups.watch('room', self.pid)
    await self.serve({ '@group': (change) => { seen.push(change) } })
  })
  await until(() => snapshot !== undefined)
  t.strictSame(snapshot, { members: [first], missing: [] })
  await b.cluster!.groups.join('room', second)
  b.exit(first)
  await until(() => seen.length === 2)
  t.strictSame(seen, [
    { group: 'room', joined: [second], left: [] },
    { group: 'room', joined: [], left: [first] }
  ])
  const { groups } = a.cluster!
  await t.rejects(groups.watch('room', first), { code: 'FST_PROCESS_NOT_ALIVE' })
  await t.rejects(groups.watch('room', 5 as never), { code: 'FST_PROCESS_INVALID_PID' })
  groups.unwatch('room', watching)
  t.throws(() => { groups.unwatch('room', 5 as never) }, { code: 'FST_PROCESS_INVALID_PID' })
  const heard: unknown[] = []
  await groups.watch('room', ({ left }) => { heard.push(...left) })
  b.exit(second)
  await until(() => heard.length === 1)
  t.strictSame(heard, [second])
  t.equal(seen.length, 2, 'it does not watch any more')
})
