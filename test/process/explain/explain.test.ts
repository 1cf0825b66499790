// `processes.explain`: the ends of processes and supervisors of one node.
import t from 'tap'
import { ManualClock } from '../../properties/clock.js'
import { buildRuntime } from '../helpers.js'
import type { Explanation } from '../../../types/explain.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, Processes, SupervisorSpec } from '../../../types/processes.js'

/** A node whose time only the test moves. */
class Node {
  readonly clock = new ManualClock()
  readonly processes: Processes
  readonly runtime

  constructor (keepEnds?: number) {
    const { runtime, processes } = buildRuntime({ clock: this.clock, keepEnds })
    this.runtime = runtime
    this.processes = processes
  }

  /** Runs everything that can run now, promises included. */
  async settle (): Promise<void> {
    for (let lap = 0; lap < 20; lap++) {
      this.clock.run()
      this.clock.yieldOnce()
      await new Promise(setImmediate)
    }
  }

  /** Spawns a process that serves until it gets `fail`. */
  spawn (name?: string, link?: Pid): Pid {
    const pid = this.processes.spawn(worker, { name, link })
    this.clock.run()
    return pid
  }

  explain (pid: Pid): Explanation {
    return this.processes.explain(pid)!
  }

  /** The text without the incarnation in PIDs and the numbers of lines. */
  text (pid: Pid): string {
    return this.explain(pid).text.replaceAll(/@local\.\w+/g, '').replaceAll(/\.ts:\d+/g, '.ts:0')
  }
}

function worker (self: Process<{ fail: unknown }>): Promise<void> {
  return self.serve({ fail: (error) => { throw error } })
}

function supervise (node: Node, spec: SupervisorSpec = {}) {
  const supervisor = node.processes.supervise({ name: 'workers', ...spec })
  node.clock.run()
  const pidOf = (id: string): Pid => supervisor.children().find((child) => child.id === id)!.pid!
  return { supervisor, pidOf }
}

t.test('tells how a process came to its end', async (t) => {
  const cases: [end: (node: Node, pid: Pid) => void, cause: string, text: string][] = [
    [({ processes }, pid) => { processes.exit(pid, 'tired') }, 'exit',
      'process `worker` (1) was ended with the reason `tired` 0 ms ago'],
    [({ processes }, pid) => { processes.exit(pid, 'kill') }, 'killed',
      'process `worker` (1) was killed 0 ms ago'],
    [({ processes }, pid) => { processes.cancel(pid) }, 'cancel',
      'process `worker` (1) was cancelled 0 ms ago'],
    [({ processes }, pid) => { processes.send(pid, 'fail', new TypeError('no')) }, 'failed',
      'process `worker` (1) failed 0 ms ago: TypeError: no (explain.test.ts:0)']
  ]
  for (const [end, cause, text] of cases) {
    const node = new Node()
    const pid = node.spawn()
    end(node, pid)
    await node.settle()
    t.match(node.explain(pid), { pid, state: 'ended', together: 0, chain: [{ pid, cause }] })
    t.equal(node.text(pid), text)
  }
})

t.test('tells that a body returned, or stopped its process', async (t) => {
  const node = new Node()
  const quiet = node.processes.spawn(() => {})
  const stopped = node.processes.spawn(function own (self) { self.stop('enough') })
  const both = node.processes.spawn(async (self) => {
    await self.serve({ '@cancel': () => { self.stop('later') } })
  })
  await node.settle()
  node.processes.cancel(both)
  await node.settle()
  t.equal(node.text(quiet), 'process 1 ended 0 ms ago because its body returned')
  t.equal(node.text(stopped), 'process `own` (2) stopped itself with the reason `enough` 0 ms ago')
  t.match(node.explain(both).chain, [{ cause: 'cancel', reason: 'later' }])
})

t.test('names the process that ended or cancelled another one', async (t) => {
  const node = new Node()
  const victims = [node.spawn(), node.spawn('cancelled')]
  const by = node.processes.spawn((self) => {
    self.exit(victims[0], 'out')
    self.cancel(victims[1])
  })
  await node.settle()
  t.match(node.explain(victims[0]).chain, [{ cause: 'exit', by }])
  t.equal(node.text(victims[0]),
    'process `worker` (1) was ended with the reason `out` by 3 0 ms ago')
  t.equal(node.text(victims[1]), 'process `cancelled` (2) was cancelled by 3 0 ms ago')
})

t.test('keeps the error of a clean-up beside the cancel', async (t) => {
  const node = new Node()
  const pid = node.processes.spawn(async function untidy (self) {
    await self.serve({})
    throw new Error('disk full')
  })
  await node.settle()
  node.processes.cancel(pid)
  await node.settle()
  t.match(node.explain(pid).chain, [{ cause: 'cancel', error: { message: 'disk full' } }])
  t.match(node.text(pid), /was cancelled 0 ms ago: Error: disk full/)
})

t.test('follows a chain of links to the process that failed', async (t) => {
  const node = new Node()
  const pids = [node.spawn('first')]
  for (const name of ['second', 'third']) pids.push(node.spawn(name, pids.at(-1)))
  node.processes.send(pids[0], 'fail', new RangeError('too far'))
  await node.settle()
  node.clock.advance(2100)
  const { chain, together } = node.explain(pids[2])
  t.strictSame(chain.map(({ pid, cause, because }) => [pid, cause, because]), [
    [pids[2], 'link', pids[1]], [pids[1], 'link', pids[0]], [pids[0], 'failed', undefined]
  ])
  t.equal(chain[0].error, chain[2].error, 'the error is read once')
  t.equal(together, 2)
  t.equal(node.text(pids[2]),
    'process `third` (3) ended with a linked process 2.1 s ago, because process `second` (2) ' +
    'ended with a linked process, because process `first` (1) failed: RangeError: too far ' +
    '(explain.test.ts:0); 2 processes ended with it')
})

t.test('ends a chain after ten ends', async (t) => {
  const node = new Node()
  const pids = [node.spawn()]
  for (let i = 0; i < 20; i++) pids.push(node.spawn(`${i}`, pids.at(-1)))
  node.processes.send(pids[0], 'fail', new Error('root'))
  await node.settle()
  const { chain, text } = node.explain(pids[20])
  t.equal(chain.length, 10)
  t.match(text, new RegExp(`, because ${pids[10]} ended; 10 processes ended with it$`))
})

t.test('tells that a process linked with one that was dead already', async (t) => {
  const node = new Node()
  const dead = node.spawn()
  node.processes.exit(dead)
  const pid = node.processes.spawn((self) => { self.link('nobody') })
  const never = '999@local.1' as Pid
  const other = node.processes.spawn((self) => { self.link(never) })
  await node.settle()
  t.match(node.text(pid), /ended with a linked process 0 ms ago, because nobody was not alive/)
  t.match(node.explain(other).chain, [{ reason: 'noproc', because: never }])
})

t.test('follows a supervisor that gave up to the child that failed', async (t) => {
  const node = new Node()
  const { supervisor, pidOf } = supervise(node, {
    maxRestarts: 1,
    children: [{ id: 'a', start: worker }, { id: 'b', start: worker, name: 'b' }]
  })
  const [first, sibling] = [pidOf('a'), pidOf('b')]
  node.processes.send(first, 'fail', new Error('one'))
  node.clock.advance(1)
  await node.settle()
  const second = pidOf('a')
  node.processes.send(second, 'fail', new Error('two'))
  await node.settle()
  t.match(node.explain(first), { restartedAs: second, chain: [{ restartedAs: second }] })
  t.match(node.text(first), /; process `worker` \(2\) was restarted as 4 after \d+ ms$/)
  const { chain, together } = node.explain(sibling)
  t.match(chain, [
    { pid: sibling, cause: 'supervisor', because: supervisor.pid, reason: 'shutdown' },
    { pid: supervisor.pid, kind: 'supervisor', cause: 'gave_up', because: second },
    { pid: second, cause: 'failed', error: { message: 'two' } }
  ])
  t.equal(together, 2)
  t.equal(node.text(sibling),
    'process `b` (3) was stopped by its supervisor 0 ms ago, because supervisor `workers` (1) ' +
    'gave up after too many restarts, because process `worker` (4) failed: Error: two ' +
    '(explain.test.ts:0); 2 processes ended with it')
})

t.test('tells of a sibling that is restarted with the child that failed', async (t) => {
  const node = new Node()
  const children = ['a', 'b', 'c'].map((id) => ({ id, start: worker }))
  const { pidOf } = supervise(node, { strategy: 'one_for_all', children })
  const before = ['a', 'b', 'c'].map(pidOf)
  node.processes.send(before[0], 'fail', new Error('first'))
  await node.settle()
  for (const [i, id] of ['b', 'c'].entries()) {
    t.match(node.explain(before[i + 1]), {
      chain: [{ cause: 'sibling', because: before[0] }, { cause: 'failed' }],
      restartedAs: pidOf(id)
    })
  }
  t.match(node.text(before[2]),
    /^process `worker` \(4\) was stopped 0 ms ago to be restarted with another child, because/)
})

t.test('tells of children whose supervisor was stopped, killed, or stopped them', async (t) => {
  const node = new Node()
  const children = [{ id: 'a', start: worker }, { id: 'b', start: worker }]
  const { supervisor, pidOf } = supervise(node, { children })
  const killed = supervise(node, { name: 'killed', children })
  const [stopped, orphan, lost] = [pidOf('a'), pidOf('b'), killed.pidOf('a')]
  const stopping = supervisor.stopChild('a')
  await node.settle()
  await stopping
  node.processes.cancel(supervisor.pid)
  node.processes.exit(killed.supervisor.pid, 'kill')
  await node.settle()
  t.match(node.explain(stopped).chain, [{ cause: 'supervisor', by: supervisor.pid }])
  t.match(node.explain(orphan).chain, [
    { cause: 'supervisor', because: supervisor.pid }, { cause: 'cancel', pid: supervisor.pid }
  ])
  t.match(node.explain(lost).chain, [
    { cause: 'supervisor', reason: 'killed', because: killed.supervisor.pid }, { cause: 'killed' }
  ])
})

t.test('tells why a child that took too long to stop has ended', async (t) => {
  const node = new Node()
  const start = (): Promise<void> => new Promise(() => {})
  const { supervisor, pidOf } = supervise(node, { children: [{ id: 'a', start, shutdown: 10 }] })
  const pid = pidOf('a')
  node.processes.cancel(supervisor.pid)
  await node.settle()
  node.clock.advance(10)
  await node.settle()
  t.match(node.explain(pid).chain, [{ cause: 'supervisor', because: supervisor.pid }, {}])
})

t.test('tells that the node was closing', async (t) => {
  const node = new Node()
  const pids = [node.spawn(), node.spawn(), node.spawn('named')]
  const failing = node.processes.spawn(async function untidy (self) {
    self.signal.addEventListener('abort', () => { node.processes.exit(self.pid, 'own') })
    await self.serve({})
  })
  await node.settle()
  const closed = node.runtime.shutdown.close(1000)
  await node.settle()
  await closed
  for (const pid of pids) {
    t.match(node.explain(pid).chain, [{ cause: 'cancel', closing: true, pid }])
    t.match(node.text(pid), / was cancelled 0 ms ago while its node was closing$/)
  }
  t.match(node.explain(failing).chain, [{ cause: 'exit', closing: true }])
  t.equal(node.runtime.ends.processes.records.length, 2, 'ends of one cause share a record')
})

t.test('knows a process that is alive, and one that it has not made', async (t) => {
  const node = new Node()
  const named = node.spawn('named')
  const plain = node.processes.spawn((self) => self.serve({}))
  node.clock.advance(90_000)
  t.strictSame(node.explain(named), {
    pid: named,
    state: 'alive',
    text: `process \`named\` (${named}) is alive, since 2 min`,
    chain: [],
    together: 0
  })
  t.equal(node.text(plain), 'process 2 is alive, since 2 min')
  const [, rest] = named.split('@local')
  const { incarnation } = node.runtime.pids
  const earlier = `7@local.${(incarnation - 1).toString(36)}`
  const later = `7@local.${(incarnation + 1).toString(36)}`
  t.match(node.processes.explain(earlier), { pid: earlier, state: 'forgotten' })
  for (const pid of [`3@local${rest}`, later, `1@other${rest}`, 'named', '', 'x'.repeat(1000)]) {
    t.equal(node.processes.explain(pid), undefined, pid.slice(0, 20))
  }
  t.throws(() => node.processes.explain(5 as never), { code: 'FST_PROCESS_INVALID_PID' })
})

t.test('forgets the oldest end, and says so', async (t) => {
  const node = new Node(3)
  const pids = Array.from({ length: 4 }, () => node.spawn())
  for (const pid of pids) node.processes.exit(pid)
  t.match(node.explain(pids[0]), { state: 'forgotten', chain: [], together: 0 })
  t.match(node.text(pids[0]),
    /^1 has ended, but its end is not remembered any more: see the option `keepEnds`$/)
  for (const pid of pids.slice(1)) t.equal(node.explain(pid).state, 'ended')
})

t.test('remembers nothing when `keepEnds` is 0', async (t) => {
  const node = new Node(0)
  const { pidOf } = supervise(node, { children: [{ id: 'a', start: worker }] })
  const pid = pidOf('a')
  node.processes.send(pid, 'fail', new Error('x'))
  await node.settle()
  t.not(pidOf('a'), pid)
  t.match(node.explain(pid), { state: 'forgotten' })
  t.strictSame(node.runtime.ends.records, [])
})

t.test('knows the time of an end whose body has taken long', async (t) => {
  const node = new Node()
  const explained: Explanation[] = []
  let early = '' as Pid
  const pid = node.processes.spawn(() => {
    early = node.processes.spawn(() => {})
    node.processes.exit(early, 'early')
    explained.push(node.explain(early))
    node.clock.time += 5000
  })
  const next = node.processes.spawn(() => {})
  await node.settle()
  t.match(explained, [{ chain: [{ uptime: 0, ago: 0 }] }], 'also within the turn of the end')
  t.match(node.explain(early).chain, [{ uptime: 0, ago: 5000 }])
  t.match(node.explain(pid).chain, [{ uptime: 5000, ago: 0 }])
  t.match(node.explain(next).chain, [{ uptime: 5000, ago: 0 }])
})

t.test('is plain data', async (t) => {
  const node = new Node()
  const [root, linked] = [node.spawn(), node.spawn('linked', '1' as Pid)]
  t.ok(linked)
  node.processes.send(root, 'fail', new Error('x'))
  await node.settle()
  const explained = node.explain(root)
  t.strictSame(JSON.parse(JSON.stringify(explained)), explained)
})

t.test('describes no end whose record was used again during a pause', async (t) => {
  const node = new Node(3)
  const { explainer } = node.runtime
  const [first, second, third, fourth] = [1, 2, 3, 4].map(() => node.spawn())
  const end = (pid: Pid): void => { node.processes.exit(pid, 'tired') }
  for (const pid of [first, second, third]) end(pid)
  const described = explainer.describeEnds()
  const pids = [described.next().value!.end.pid]
  end(fourth)
  end(node.spawn())
  // Its end is written into the record of the second one.
  end(node.spawn())
  for (const { end } of described) pids.push(end.pid)
  t.strictSame(pids, [first, third])
  t.strictSame([...explainer.describeEnds()].map(({ end }) => end.pid).slice(0, 1), [fourth])
})
