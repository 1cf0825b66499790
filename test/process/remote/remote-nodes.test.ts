// All operations on the processes of another node, over a wire without a cluster. The same tests
// over real channels are in test/cluster.
import t from 'tap'
import { buildRuntime, held, probe, settle, deferred } from '../helpers.js'
import { Wire } from './wire.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { Process, Processes } from '../../../types/processes.js'
import type { Pid } from '../../../types/pid.js'

interface Node { runtime: Runtime, processes: Processes }

function join (...names: string[]): { wire: Wire, nodes: Node[] } {
  const wire = new Wire()
  const nodes = names.map((node) => {
    const made = buildRuntime({ node })
    wire.join(made.runtime)
    return made
  })
  return { wire, nodes }
}

/** A process that waits, and its `self`. */
async function started ({ processes }: Node, options = {}): Promise<Process> {
  const self = deferred<Process>()
  processes.spawn(async (given) => {
    self.resolve(given)
    await given.receive({ topic: '@exit' })
  }, options)
  return await self.promise
}

const idle = { alive: 0, relations: 0, names: 0, groups: 0 }
const unknown = '1@nowhere.abc' as Pid

t.test('send returns whether the channel accepted it, and keeps the order', async (t) => {
  const { nodes: [a, b] } = join('a', 'b')
  const there = probe(b.processes)
  for (let i = 0; i < 5; i++) t.ok(a.processes.send(there.pid, 'x', i))
  t.strictSame((await there.until(5)).map(({ payload }) => payload), [0, 1, 2, 3, 4])
  t.notOk(a.processes.send(there.pid, 'x', () => {}), 'what is no plain data')
  t.notOk(a.processes.send(unknown, 'x'), 'no such node')
  t.match(a.processes.stats(), { sent: 5, refused: 2, deadLetters: 0 })
  const sender = await started(a)
  t.ok(sender.send(there.pid, 'from'))
  t.match((await there.until(6))[5], { from: sender.pid })
  for (const [node, pid] of [[a, sender.pid], [b, there.pid]] as const) node.processes.exit(pid)
  t.notOk(sender.send(there.pid, 'x'), 'the dead send nothing')
})

t.test('answers synchronous calls for the own node only', async (t) => {
  const { nodes: [a, b] } = join('a', 'b')
  const { pid } = probe(b.processes)
  t.notOk(a.processes.alive(pid))
  t.equal(a.processes.info(pid), undefined)
  t.throws(() => { a.processes.names.register('name', pid) }, { code: 'FST_PROCESS_NOT_ALIVE' })
  t.notOk(a.processes.groups.join('group', pid))
  t.throws(() => a.processes.groups.watch('group', pid), { code: 'FST_PROCESS_NOT_ALIVE' })
  t.throws(() => a.processes.spawn(() => t.fail('started'), { monitor: pid }), {
    code: 'FST_PROCESS_INVALID_SPEC'
  })
  t.strictSame(held(a.runtime), idle)
  b.processes.exit(pid)
})

t.test('treats a PID of an earlier incarnation of this node as dead', async (t) => {
  const { nodes: [a] } = join('a', 'b')
  const before = '1@a.abc' as Pid
  t.match(await a.processes.exited(before), { reason: 'noproc' })
  await t.rejects(a.processes.call(before, 'x'), { code: 'FST_PROCESS_NOT_ALIVE' })
})

t.test('exits and cancels a remote process', async (t) => {
  const { nodes: [a, b] } = join('a', 'b')
  const one = probe(b.processes)
  const two = probe(b.processes)
  const exits = [a.processes.exited(one.pid), a.processes.exited(two.pid)]
  const self = await started(a)
  await settle()
  t.ok(self.cancel(one.pid, 'enough'))
  t.ok(a.processes.exit(two.pid, 'kill'))
  t.match(await Promise.all(exits), [{ reason: 'shutdown' }, { reason: 'killed' }])
  t.match(one.seen, [{ topic: '@cancel', payload: { from: self.pid, reason: 'enough' } }])
  t.notOk(a.processes.exit(unknown))
  t.notOk(a.processes.cancel(unknown))
  a.processes.exit(self.pid)
})

t.test('answers or refuses a remote call, or fails it with the callee', async (t) => {
  const { wire, nodes: [a, b] } = join('a', 'b')
  const pid = b.processes.spawn(async (self) => {
    await self.serve({
      double: (n: number, { reply }: any) => {
        reply(n * 2)
      },
      no: (_: unknown, { fail }: any) => {
        fail(new Error('no'))
      },
      end: () => {
        self.stop('gone')
      },
      never: () => {}
    } as never)
  }) as string
  t.equal(await a.processes.call(pid, 'double', 4), 8)
  await t.rejects(a.processes.call(pid, 'no'), {
    code: 'FST_PROCESS_CALL_FAILED',
    cause: { message: 'no' }
  })
  await t.rejects(a.processes.call(pid, 'never', 0, { timeout: 1 }), {
    code: 'FST_PROCESS_CALL_TIMEOUT'
  })
  const controller = new AbortController()
  const aborted = a.processes.call(pid, 'never', 0, { signal: controller.signal })
  controller.abort(new Error('enough'))
  await t.rejects(aborted, { message: 'enough' })
  await t.rejects(a.processes.call(pid, 'end'), {
    code: 'FST_PROCESS_CALL_FAILED',
    message: /gone/
  })
  await t.rejects(a.processes.call(pid, 'double', 4), { code: 'FST_PROCESS_NOT_ALIVE' })
  await t.rejects(a.processes.call(unknown, 'x'), { code: 'FST_PROCESS_REFUSED' })
  await settle()
  t.equal(wire.sideOf(a.runtime.pids.nextPid())?.size, 0, 'nothing is kept of a call that is over')
  t.strictSame(held(b.runtime), idle)
})

t.test('fires a remote monitor once, also for a dead process and a lost node', async (t) => {
  const { wire, nodes: [a, b] } = join('a', 'b')
  const target = await started(b)
  const watcher = probe(a.processes)
  const seen: unknown[] = []
  const pid = a.processes.spawn(async (self) => {
    self.monitor(target.pid)
    self.monitor('9@b.abc' as Pid)
    self.monitor(unknown)
    self.demonitor(self.monitor(target.pid))
    for await (const { topic, payload } of self.inbox as AsyncIterable<any>) {
      if (topic === 'go') b.processes.exit(target.pid, 'boom')
      else seen.push([payload.pid, payload.reason])
    }
  })
  await settle()
  t.strictSame(a.processes.info(pid)?.monitors, [target.pid])
  a.processes.send(pid, 'go')
  for (let lap = 0; lap < 5; lap++) await settle()
  t.strictSame(seen, [[unknown, 'noconnection'], ['9@b.abc', 'noproc'], [target.pid, 'boom']])
  for (const each of [pid, watcher.pid]) a.processes.exit(each)
  t.equal(wire.sideOf(pid)?.size, 0)
  t.strictSame([held(a.runtime), held(b.runtime)], [idle, idle])
})

t.test('removes remote monitors at the end of their process', async (t) => {
  const { wire, nodes: [a, b] } = join('a', 'b')
  const target = await started(b)
  const self = await started(a)
  self.monitor(target.pid)
  await settle()
  t.equal(b.runtime.relations.size, 1)
  a.processes.exit(self.pid)
  await settle()
  t.equal(b.runtime.relations.size, 0)
  t.equal(wire.sideOf(self.pid)?.size, 0)
  b.processes.exit(target.pid)
})

t.test('links processes across nodes in both directions', async (t) => {
  const { nodes: [a, b] } = join('a', 'b')
  for (const [first, second] of [[a, b], [b, a]]) {
    const one = await started(first)
    const two = await started(second)
    one.link(two.pid)
    one.link(two.pid)
    await settle()
    t.strictSame(
      [first.processes.info(one.pid)?.links, second.processes.info(two.pid)?.links],
      [[two.pid], [one.pid]]
    )
    const exited = second.processes.exited(two.pid)
    first.processes.exit(one.pid, 'boom')
    t.match(await exited, { reason: 'boom' })
  }
  const one = await started(a)
  const two = await started(b)
  one.link(two.pid)
  one.unlink(two.pid)
  b.processes.exit(two.pid, 'boom')
  await settle()
  t.ok(a.processes.alive(one.pid))
  a.processes.exit(one.pid)
  t.strictSame([held(a.runtime), held(b.runtime)], [idle, idle])
})

t.test('ends no process after an orderly exit of a remote one', async (t) => {
  const { nodes: [a, b] } = join('a', 'b')
  const one = await started(a)
  const two = await started(b)
  one.link(two.pid)
  await settle()
  b.processes.exit(two.pid, 'shutdown')
  await settle()
  t.strictSame(a.processes.info(one.pid)?.links, [])
  a.processes.exit(one.pid)
})

t.test('treats a link with a dead remote process as its exit', async (t) => {
  const { nodes: [a] } = join('a', 'b')
  for (const [pid, reason] of [['9@b.abc', 'noproc'], [unknown, 'noconnection']] as const) {
    const one = await started(a)
    const exited = a.processes.exited(one.pid)
    one.link(pid as Pid)
    t.match(await exited, { reason })
  }
  const pid = a.processes.spawn(() => t.fail('started'), { link: unknown })
  t.match(await a.processes.exited(pid), { reason: 'noproc' })
})

t.test('spawns a process that is linked with a remote one', async (t) => {
  const { nodes: [a, b] } = join('a', 'b')
  const peer = await started(b)
  const one = await started(a, { link: peer.pid })
  await settle()
  t.strictSame(b.processes.info(peer.pid)?.links, [one.pid])
  const exited = a.processes.exited(one.pid)
  b.processes.exit(peer.pid, 'boom')
  t.match(await exited, { reason: 'boom' })
})

t.test('ends links, monitors and calls with noconnection when a node is lost', async (t) => {
  const { wire, nodes: [a, b] } = join('a', 'b')
  const target = await started(b)
  const linked = await started(a)
  linked.link(target.pid)
  await settle()
  const bothExits = [a.processes.exited(target.pid), a.processes.exited(linked.pid)]
  const call = a.processes.call(target.pid, 'x')
  const refused = t.rejects(call, { code: 'FST_PROCESS_CALL_FAILED', message: /noconnection/ })
  wire.lose('b')
  t.match(await Promise.all(bothExits), [{ reason: 'noconnection' }, { reason: 'noconnection' }])
  await refused
  t.notOk(a.processes.send(target.pid, 'x'))
  t.notOk(b.processes.alive(target.pid), 'its own end of the link')
  t.strictSame([held(a.runtime), held(b.runtime)], [idle, idle])
})

t.test('adds no remote process to a local group, and sends timer messages to it', async (t) => {
  const { nodes: [a, b] } = join('a', 'b')
  const there = probe(b.processes)
  const self = await started(a)
  self.sendAfter(0, there.pid, 'late', 1)
  t.match(await there.until(1), [{ topic: 'late', payload: 1, from: self.pid }])
  t.notOk(a.processes.groups.leave('g', there.pid))
  a.processes.exit(self.pid)
  b.processes.exit(there.pid)
})
