import t from 'tap'
import { buildRuntime, held, probe, settle } from '../helpers.js'
import { LocalProcesses } from '../../../lib/process/remote/local-processes.js'
import type { Answer } from '../../../lib/process/calls.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

const there = '7@b.abc' as Pid
const dead = '7@local.abc' as Pid

/** A caller that records the answers. */
function answer (): Answer & { got: unknown[] } {
  const got: unknown[] = []
  return {
    got,
    reply: (value) => {
      got.push(value)
    },
    fail: (error) => {
      got.push(error)
    },
    reject: (error) => {
      got.push(error)
    }
  }
}

t.test('delivers a remote message like a local one, and answers a remote call', async (t) => {
  const { runtime, processes } = buildRuntime()
  const here = new LocalProcesses(runtime)
  const pid = processes.spawn(async (self) => {
    await self.serve({
      double: (n: number, { from, reply }: any) => {
        reply([n * 2, from])
      }
    } as never)
  })
  const call = answer()
  t.ok(here.deliver(pid, 'double', 4, there, call))
  await settle()
  t.strictSame(call.got, [[8, there]])
  processes.exit(pid)
})

t.test('rejects a refused remote call with the error of a local call', async (t) => {
  const { runtime, processes } = buildRuntime()
  const here = new LocalProcesses(runtime)
  const full = processes.spawn((self) => self.receive({ topic: '@exit' }), { mailboxLimit: 1 })
  t.ok(here.deliver(full, 'x', 1, there))
  const refused = answer()
  t.notOk(here.deliver(full, 'x', 1, there, refused))
  t.match(refused.got, [{ code: 'FST_PROCESS_REFUSED' }])
  const nobody = answer()
  t.notOk(here.deliver(dead, 'x', 1, there, nobody))
  t.match(nobody.got, [{ code: 'FST_PROCESS_NOT_ALIVE' }])
  t.notOk(here.deliver(dead, 'x', 1, there))
  processes.exit(full)
})

t.test('refuses system topics and wrong exit reasons of other nodes', async (t) => {
  const { runtime, processes } = buildRuntime()
  const here = new LocalProcesses(runtime)
  const { pid, seen } = probe(processes)
  for (const topic of ['@exit', '@cancel', '', 'x'.repeat(129), 5 as never]) {
    t.notOk(here.deliver(pid, topic, {}, there))
    t.notOk(here.accept(pid, topic, {}, there, 0))
  }
  for (const reason of ['', 'x'.repeat(257), 5 as never]) {
    t.notOk(here.exit(pid, reason))
    t.notOk(here.cancel(pid, reason, there))
  }
  await settle()
  t.strictSame(seen, [])
  t.equal(processes.stats().deadLetters, 10)
  processes.exit(pid)
})

t.test('serves local PIDs only, and forwards nothing to a third node', async (t) => {
  const { runtime, processes } = buildRuntime()
  runtime.clusterAccess.joinCluster(new Proxy({}, { get: () => t.fail('asked another node') }) as never)
  const here = new LocalProcesses(runtime)
  const exits: Exit[] = []
  for (const pid of [there, dead]) {
    t.notOk(here.deliver(pid, 'x', 1, undefined))
    t.notOk(here.accept(pid, 'x', 1, there, 0))
    t.notOk(here.exit(pid, 'boom'))
    t.notOk(here.cancel(pid, 'boom', undefined))
    t.notOk(here.addRemoteLink(pid, there))
    t.equal(here.bindProblem(pid), 'it is not alive')
    here.monitor(pid, { targetEnded: (exit) => { exits.push(exit) } })
    here.demonitor(pid, { targetEnded () {} })
    here.removeRemoteLink(pid, there)
    here.remoteLinkEnded(pid, { pid: there, reason: 'boom' })
  }
  t.strictSame(exits, [{ pid: there, reason: 'noproc' }, { pid: dead, reason: 'noproc' }])
  t.strictSame(held(runtime), { alive: 0, relations: 0, names: 0, groups: 0 })
  t.equal(processes.stats().alive, 0)
})

t.test('lets another node monitor, cancel and end a process', async (t) => {
  const { runtime, processes } = buildRuntime()
  const here = new LocalProcesses(runtime)
  const exits: Exit[] = []
  const watcher = { targetEnded: (exit: Exit) => { exits.push(exit) } }
  const polite = probe(processes)
  here.monitor(polite.pid, watcher)
  await settle()
  t.ok(here.cancel(polite.pid, 'enough', there))
  await settle()
  t.match(polite.seen, [{ topic: '@cancel', payload: { from: there, reason: 'enough' } }])
  const killed = probe(processes).pid
  here.monitor(killed, watcher)
  t.ok(here.exit(killed, 'kill'))
  const other = probe(processes).pid
  here.monitor(other, watcher)
  here.demonitor(other, watcher)
  t.ok(here.exit(other, 'boom'))
  t.match(exits, [{ pid: polite.pid, reason: 'shutdown' }, { pid: killed, reason: 'killed' }])
  t.equal(exits.length, 2)
  t.equal(runtime.relations.size, 0)
})

t.test('applies the exit of a linked remote process once, and not after an unlink', async (t) => {
  const { runtime, processes } = buildRuntime()
  const here = new LocalProcesses(runtime)
  const trapping = probe(processes, { trapLinks: true })
  t.ok(here.addRemoteLink(trapping.pid, there))
  t.strictSame(processes.info(trapping.pid)?.links, [there])
  for (let i = 0; i < 2; i++) {
    here.remoteLinkEnded(trapping.pid, { pid: there, reason: 'noconnection' })
  }
  t.ok(here.addRemoteLink(trapping.pid, there))
  here.removeRemoteLink(trapping.pid, there)
  here.remoteLinkEnded(trapping.pid, { pid: there, reason: 'boom' })
  await settle()
  t.match(trapping.seen, [{ topic: '@link_down', payload: { pid: there, reason: 'noconnection' } }])
  t.equal(trapping.seen.length, 1)
  const plain = probe(processes).pid
  const exited = processes.exited(plain)
  t.ok(here.addRemoteLink(plain, there))
  here.remoteLinkEnded(plain, { pid: there, reason: 'boom' })
  t.match(await exited, { reason: 'boom' })
  processes.exit(trapping.pid)
  t.equal(runtime.relations.size, 0)
})

t.test('resumes remote producers when a mailbox has room again', async (t) => {
  const { runtime, processes } = buildRuntime({ mailboxLimit: 4 })
  const here = new LocalProcesses(runtime)
  const resumed: string[] = []
  const feeder = (name: string) => ({ resume: () => { resumed.push(name) } })
  const { pid, until } = probe(processes)
  const forgotten = feeder('forgotten')
  t.strictSame(
    [1, 2, 3].map((n) => here.accept(pid, 'ws.message', n, there, 10)),
    [false, false, true]
  )
  here.subscribeToDrain(pid, feeder('waits'))
  here.subscribeToDrain(pid, forgotten)
  here.unsubscribeFromDrain(pid, forgotten)
  t.strictSame(resumed, [])
  await until(3)
  t.strictSame(resumed, ['waits'])
  here.subscribeToDrain(pid, feeder('room'))
  processes.exit(pid)
  here.subscribeToDrain(pid, feeder('nobody'))
  here.unsubscribeFromDrain(pid, forgotten)
  t.strictSame(resumed, ['waits', 'room', 'nobody'])
})

t.test('allows a connection to be bound to a process that accepts mail', async (t) => {
  const { runtime, processes } = buildRuntime()
  const here = new LocalProcesses(runtime)
  const pid = processes.spawn(async (self) => {
    await self.receive({ topic: '@exit' }).catch(() => new Promise(() => {}))
  })
  t.equal(here.bindProblem(pid), undefined)
  await settle()
  processes.cancel(pid)
  t.equal(here.bindProblem(pid), 'it is stopping')
  runtime.clusterAccess.refusesBinds = true
  t.equal(here.bindProblem(pid), 'its node is closing')
  processes.exit(pid)
})

t.test('shares the payload among connections, and decodes it again for each process', async (t) => {
  const { runtime, processes } = buildRuntime()
  const here = new LocalProcesses(runtime)
  const seen: unknown[] = []
  const batches = new Set<unknown>()
  const connection = (pid: Pid) => ({
    pid,
    kind: 'ws',
    deliver (topic: string, payload: unknown, from: Pid, call: undefined, batch: unknown) {
      seen.push([topic, payload, from])
      batches.add(batch)
      return true
    },
    missed (count: number) { seen.push(count) }
  })
  const sockets = [runtime.pids.nextPid(), runtime.pids.nextPid()]
  for (const pid of sockets) runtime.processTable.addEntity(connection(pid) as never)
  const one = probe(processes)
  let copies = 0
  here.deliverToMany([...sockets, one.pid, dead], 'news', 'shared', () => ++copies, there)
  await settle()
  t.strictSame(seen.splice(0), [['news', 'shared', there], ['news', 'shared', there]])
  t.equal(batches.size, 1)
  t.match(one.seen, [{ topic: 'news', payload: 1, from: there }])
  t.equal(processes.stats().deadLetters, 1)
  here.deliverToMany([one.pid], '@exit', 'forged', () => 'forged', there)
  t.equal(processes.stats().deadLetters, 2)
  here.missed(sockets[0], 3)
  for (const pid of [one.pid, dead]) here.missed(pid, 1)
  t.strictSame(seen.splice(0), [3])
  here.missedByAll()
  t.strictSame(seen, [1, 1])
  processes.exit(one.pid)
})
