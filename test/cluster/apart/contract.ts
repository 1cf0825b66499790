// What processes promise each other, with the peer in another operating-system process: the sentences
// of test/process. Node `a` is in the test's process, `b` and `c` in one each.
import t from 'tap'
import { sees, stageOf } from './stage.js'
import { createProcesses } from '../../../lib/process/index.js'
import { deferred, probe } from '../../process/helpers.js'
import type { FarNode } from './host.js'
import type { EngineName } from './worker.js'
import type { Loose, Probe } from '../../process/helpers.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, ProcessSystem, SpawnOptions } from '../../../types/processes.js'

interface Nodes { readonly a: ProcessSystem, readonly b: FarNode, readonly c: FarNode }

let joined: Promise<Nodes> | undefined

async function join (engine: EngineName): Promise<Nodes> {
  const stage = await stageOf(engine)
  const prefix = 'contract'
  const a = createProcesses({ node: 'a', cluster: stage.engine(prefix), closeTimeout: 20 })
  t.teardown(() => a.close())
  const [b, c] = await Promise.all([stage.node(stage.hosts[0], 'b', prefix), stage.node(stage.hosts[1], 'c', prefix), a.ready()])
  await Promise.all([sees(a, ['b', 'c']), b.ask('sees', ['a', 'c']), c.ask('sees', ['a', 'b'])])
  return { a, b, c }
}

/** A process of `a` that waits, and its `self`. */
async function started ({ a }: Nodes, options: SpawnOptions<[]> = {}): Promise<Process<Loose>> {
  const self = deferred<Process<Loose>>()
  a.spawn<Loose, []>(async (given) => {
    self.resolve(given)
    await given.receive({ topic: 'end' })
  }, options)
  return await self.promise
}

const nowhere = '1@nowhere.abc' as Pid

/** A PID that a node has had, and has no more. */
async function dead (node: FarNode): Promise<Pid> {
  const { pid, exited } = await node.spawn()
  await node.ask('system', 'exit', pid)
  await exited
  return pid
}

/** @param engine what joins the nodes */
export function contract (engine: EngineName): void {
  const sentence = (text: string, body: (t: Tap, nodes: Nodes) => Promise<void>): void => {
    t.test(text, async (t) => { await body(t as unknown as Tap, await (joined ??= join(engine))) })
  }
  order(sentence)
  calls(sentence)
  ends(sentence)
  links(sentence)
  shared(sentence)
  payloads(sentence)
}

type Tap = typeof t
type Sentence = (text: string, body: (t: Tap, nodes: Nodes) => Promise<void>) => void

function order (sentence: Sentence): void {
  sentence('messages and exits from one sender to one receiver arrive in the order sent, each once', async (t, { a, b }) => {
    const there = await b.spawn()
    const sender = await started(await joined!)
    for (let i = 0; i < 500; i++) {
      t.ok(sender.send(there.pid as string, i % 2 === 0 ? 'even' : 'odd', i))
      if (i % 50 === 0) await new Promise(setImmediate)
    }
    t.notOk(sender.send(there.pid as string, 'x', () => {}), 'what is no plain data')
    sender.send(there.pid as string, 'stop', 'enough')
    t.match(await there.exited, { reason: 'enough' })
    t.strictSame(there.mail.slice(0, -1).map(({ payload, from }) => [payload, from]), Array.from({ length: 500 }, (_, i) => [i, sender.pid]))
    a.exit(sender.pid)

    const here = probe(a)
    const back = await b.spawn()
    await back.does('send', here.pid, 'warm up')
    await Promise.all([...Array.from({ length: 200 }, (_, i) => back.does('send', here.pid, 'x', i)), b.ask('system', 'send', back.pid, 'throw', 'E_LAST')])
    const watcher = await started(await joined!)
    t.match(await a.exited(back.pid), { reason: /noproc|error/ })
    const seen = await here.until(201)
    t.strictSame(seen.slice(1).map(({ payload, from }) => [payload, from]), Array.from({ length: 200 }, (_, i) => [i, back.pid]))
    for (const pid of [here.pid, watcher.pid]) a.exit(pid)
  })

  sentence('an exit comes behind everything the dead had sent', async (t, { a, b }) => {
    const there = await b.spawn()
    const here = probe(a)
    const watching = await started(await joined!)
    watching.monitor(there.pid)
    for (let i = 0; i < 20; i++) there.does('send', watching.pid, 'x', i)
    await b.ask('system', 'send', there.pid, 'stop', 'done')
    const topics: string[] = []
    while (topics.length < 21) topics.push((await watching.receive()).topic as string)
    t.strictSame(topics, [...Array.from({ length: 20 }, () => 'x'), '@exit'])
    for (const pid of [here.pid, watching.pid]) a.exit(pid)
  })

  sentence('timers send to a process elsewhere, until they are cancelled or their process ends', async (t, { a, b }) => {
    const here = probe(a)
    const there = await b.spawn()
    const [after, every] = await Promise.all([there.timer('sendAfter', '1h', here.pid, 'late'), there.timer('sendEvery', 1, here.pid, 'often', 7)])
    await there.timer('sendAfter', 0, here.pid, 'soon', 1)
    await arrives(here, 'soon')
    await arrives(here, 'often')
    t.match(here.seen.filter(({ topic }) => topic === 'soon'), [{ payload: 1, from: there.pid }])
    await Promise.all([after.cancel(), every.cancel()])
    await there.does('send', here.pid, 'last')
    await arrives(here, 'last')
    t.equal(here.seen.at(-1)?.topic, 'last')
    await there.timer('sendEvery', 1, here.pid, 'again')
    await arrives(here, 'again')
    await there.exit()
    t.match(await a.exited(there.pid), { reason: 'noproc' })
    // What it had sent is here by now.
    const rest = here.seen.length
    const other = await b.spawn()
    await other.does('call', (await echo(a)) as string, 'echo')
    t.equal(here.seen.length, rest, 'no more')
    a.exit(here.pid)
  })
}

/** Resolves when a message of a topic is there. */
async function arrives (probe: Probe, topic: string): Promise<void> {
  while (!probe.seen.some((message) => message.topic === topic)) await probe.until(probe.seen.length + 1)
}

/** A process of `a` that answers. */
async function echo (a: ProcessSystem): Promise<Pid> {
  return a.spawn<Loose, []>((self) => self.serve({ echo: (value, { reply }) => { reply(value) } }))
}

function calls (sentence: Sentence): void {
  sentence('a call is answered, refused by the callee, or fails with its end, in both directions', async (t, { a, b, c }) => {
    const there = await b.spawn()
    t.strictSame(await a.call(there.pid as string, 'echo', { deep: [1] }), { deep: [1] })
    t.strictSame(await c.ask('system', 'call', there.pid, 'echo', 'from c'), 'from c')
    t.equal(await there.does('call', await echo(a), 'echo', 5), 5)
    const caller = await started(await joined!)
    await caller.call(there.pid as string, 'echo')
    t.equal(there.mail.at(-1)?.from, caller.pid)
    await t.rejects(a.call(there.pid as string, 'fail', 'E_NO'), { code: 'FST_PROCESS_CALL_FAILED', cause: { message: 'it failed', code: 'E_NO' } })
    await t.rejects(c.ask('system', 'call', there.pid, 'fail', 'E_NO'), { code: 'FST_PROCESS_CALL_FAILED', cause: { message: 'it failed', code: 'E_NO' } })
    await t.rejects(a.call(there.pid as string, 'throw', 'E_END'), { code: 'FST_PROCESS_CALL_FAILED', message: /'error'/, cause: { message: 'it broke', code: 'E_END' } })
    await t.rejects(a.call(there.pid as string, 'echo'), { code: 'FST_PROCESS_NOT_ALIVE' })
    await t.rejects(a.call(nowhere as string, 'echo'), { code: 'FST_PROCESS_REFUSED' })
    a.exit(caller.pid)
  })

  sentence('a call to the full and to the stopping is refused', async (t, { a, b }) => {
    const full = await b.spawn({ mailboxLimit: 1 })
    await full.hold()
    a.send(full.pid as string, 'taken')
    await full.until(1)
    a.send(full.pid as string, 'waits')
    await t.rejects(a.call(full.pid as string, 'echo'), { code: 'FST_PROCESS_REFUSED' })
    await full.release()
    const stopping = await b.spawn()
    await stopping.hold()
    a.send(stopping.pid as string, 'x')
    await stopping.until(1)
    a.cancel(stopping.pid)
    await t.rejects(a.call(stopping.pid as string, 'echo'), { code: 'FST_PROCESS_REFUSED' })
    await stopping.release()
    t.match(await stopping.exited, { reason: 'shutdown' })
    await full.exit()
  })

  sentence('a call that takes too long or is aborted is over, and its late answer vanishes', async (t, { a, b }) => {
    const there = await b.spawn()
    await there.hold()
    a.send(there.pid as string, 'x')
    await there.until(1)
    await t.rejects(a.call(there.pid as string, 'echo', 'late', { timeout: 1 }), { code: 'FST_PROCESS_CALL_TIMEOUT' })
    const controller = new AbortController()
    const aborted = a.call(there.pid as string, 'echo', 'aborted', { signal: controller.signal })
    controller.abort(new Error('enough'))
    await t.rejects(aborted, { message: 'enough' })
    const next = a.call(there.pid as string, 'echo', 'mine')
    await there.release()
    t.equal(await next, 'mine')
    await there.until(4)
    t.strictSame(there.mail.map(({ payload }) => payload), [undefined, 'late', 'aborted', 'mine'], 'all of them were sent')
    await there.exit()
  })

  sentence('the calls of a process end with it', async (t, { a, b }) => {
    const there = await b.spawn()
    const caller = await started(await joined!)
    const called = caller.call(there.pid as string, 'silence')
    await there.until(1)
    a.exit(caller.pid)
    await t.rejects(called, { code: 'FST_PROCESS_STOPPED' })
    await there.exit()
  })
}

function ends (sentence: Sentence): void {
  sentence('each monitor is told of an end once, with its reason and error, on every node', async (t, nodes) => {
    const { a, b, c } = nodes
    const table: Array<[end: (pid: Pid) => unknown, expected: object]> = [
      [(pid) => a.exit(pid, 'boom'), { reason: 'boom' }],
      [(pid) => a.exit(pid), { reason: 'shutdown' }],
      [(pid) => a.exit(pid, 'kill'), { reason: 'killed' }],
      [(pid) => a.cancel(pid, 'please'), { reason: 'shutdown' }],
      [(pid) => a.send(pid as string, 'stop', 'normal'), { reason: 'normal' }],
      [(pid) => a.send(pid as string, 'throw', 'E_END'), { reason: 'error', error: { message: 'it broke', code: 'E_END' } }]
    ]
    for (const [end, expected] of table) {
      const target = await b.spawn()
      const here = await started(nodes)
      const far = await c.spawn()
      const monitors = [here.monitor(target.pid), here.monitor(target.pid)]
      here.demonitor(here.monitor(target.pid))
      await far.does('monitor', target.pid)
      // They are in place when what was sent behind them is answered.
      await here.call(target.pid as string, 'echo')
      await far.does('call', target.pid, 'echo')
      const exited = a.exited(target.pid)
      end(target.pid)
      t.match(await exited, { pid: target.pid, ...expected })
      const told = [await here.receive(), await here.receive()]
      t.match(told.map(({ topic, payload }) => ({ topic, ...payload as object })), monitors.map((monitor) => ({ topic: '@exit', pid: target.pid, monitor, ...expected })))
      await far.until(1)
      t.match(far.mail, [{ topic: '@exit', payload: { pid: target.pid, ...expected } }])
      // Whatever else its node had to tell would be here.
      const other = await b.spawn()
      await here.call(other.pid as string, 'echo')
      await far.does('call', other.pid, 'echo')
      t.equal(await here.receive({ timeout: 0 }), undefined, 'no more')
      t.equal(far.mail.length, 1)
      a.exit(here.pid)
      await Promise.all([other, far].map((one) => one.exit()))
    }
  })

  sentence('monitoring the dead tells noproc, what cannot be reached noconnection, and a monitor may be undone', async (t, nodes) => {
    const { a, b, c } = nodes
    const gone = await dead(b)
    for (const [pid, reason] of [[gone, 'noproc'], [nowhere, 'noconnection']] as const) {
      const here = await started(nodes)
      const monitor = here.monitor(pid)
      t.match(await here.receive(), { topic: '@exit', payload: { pid, monitor, reason } })
      t.match(await a.exited(pid), { pid, reason })
      const far = await c.spawn()
      await far.does('monitor', pid)
      await far.until(1)
      t.match(far.mail, [{ topic: '@exit', payload: { pid, reason } }])
      a.exit(here.pid)
      await far.exit()
    }
    const controller = new AbortController()
    const there = await b.spawn()
    const aborted = a.exited(there.pid, { signal: controller.signal })
    controller.abort(new Error('enough'))
    await t.rejects(aborted, { message: 'enough' })
    await there.exit()
  })

  sentence('cancel says who asks, comes behind the mail, and is refused after that', async (t, nodes) => {
    const { a, b } = nodes
    const there = await b.spawn()
    const here = await started(nodes)
    await there.hold()
    here.send(there.pid as string, 'first')
    here.send(there.pid as string, 'second')
    t.ok(here.cancel(there.pid, 'please'))
    await there.until(1)
    await there.release()
    t.match(await there.exited, { reason: 'shutdown' })
    t.match(there.mail, [{ topic: 'first' }, { topic: 'second' }, { topic: '@cancel', payload: { from: here.pid, reason: 'please' } }])
    t.notOk(a.cancel(nowhere))
    t.notOk(a.exit(nowhere))
    a.exit(here.pid)
  })

  sentence('synchronous calls answer for their own node', async (t, { a, b }) => {
    const { pid } = await b.spawn()
    t.notOk(a.alive(pid))
    t.equal(a.info(pid), undefined)
    t.notOk(a.list().includes(pid))
    t.throws(() => { a.names.register('name', pid) }, { code: 'FST_PROCESS_NOT_ALIVE' })
    t.notOk(a.groups.join('group', pid))
    t.throws(() => a.spawn(() => t.fail('started'), { monitor: pid }), { code: 'FST_PROCESS_INVALID_SPEC' })
    t.equal(await b.ask('system', 'alive', pid), true)
    t.ok(a.exit(pid))
  })
}

function links (sentence: Sentence): void {
  sentence('links hold in both directions, whoever made them', async (t, nodes) => {
    const { a, b, c } = nodes
    for (const [maker, ending] of [['here', 'here'], ['here', 'there'], ['there', 'here'], ['there', 'there']] as const) {
      const here = await started(nodes)
      const there = await b.spawn()
      if (maker === 'here') here.link(there.pid)
      else await there.does('link', here.pid)
      if (maker === 'here') await here.call(there.pid as string, 'echo')
      else await there.does('call', await echo(a), 'echo')
      const exits = { here: a.exited(here.pid), there: there.exited }
      if (ending === 'here') a.exit(here.pid, 'boom')
      else await there.exit('boom')
      t.match(await Promise.all([exits.here, exits.there]), [{ reason: 'boom' }, { reason: 'boom' }], `made ${maker}, ended ${ending}`)
    }
    const [one, two] = [await b.spawn(), await c.spawn()]
    await one.does('link', two.pid)
    await one.does('call', two.pid, 'echo')
    await two.exit('kill')
    t.match(await one.exited, { reason: 'killed' })
  })

  sentence('orderly ends and undone links bring nobody down; who traps is told', async (t, nodes) => {
    const { a, b } = nodes
    const here = await started(nodes, { trapLinks: true })
    const calm = await started(nodes)
    for (const reason of ['shutdown', 'normal']) {
      const there = await b.spawn()
      here.link(there.pid)
      calm.link(there.pid)
      await calm.call(there.pid as string, 'echo')
      await there.exit(reason)
      t.match(await a.exited(there.pid), { reason: 'noproc' })
    }
    const undone = await b.spawn()
    calm.link(undone.pid)
    await calm.call(undone.pid as string, 'echo')
    calm.unlink(undone.pid)
    await undone.exit('boom')
    const left = await b.spawn()
    const leaving = await started(nodes)
    leaving.link(left.pid)
    await leaving.call(left.pid as string, 'echo')
    t.strictSame((await b.ask('system', 'info', left.pid)).links, [leaving.pid])
    leaving.unlink(left.pid)
    await leaving.call(left.pid as string, 'echo')
    t.strictSame((await b.ask('system', 'info', left.pid)).links, [], 'undone on the other side, too')
    a.exit(leaving.pid, 'boom')
    // Whatever its end had told would be there before the answer.
    t.equal(await a.call(left.pid as string, 'echo', 'alive'), 'alive')
    await left.exit()
    const failing = await b.spawn()
    here.link(failing.pid)
    await here.call(failing.pid as string, 'echo')
    a.send(failing.pid as string, 'throw', 'E_END')
    t.match(await here.receive(), { topic: '@link_down', payload: { pid: failing.pid, reason: 'error', error: { message: 'it broke', code: 'E_END' } } })
    t.strictSame([here, calm].map(({ pid }) => a.info(pid)?.links), [[], []])
    const trapping = await b.spawn({ trapLinks: true })
    await trapping.does('link', here.pid)
    await trapping.does('call', await echo(a), 'echo')
    a.exit(here.pid, 'boom')
    await trapping.until(1)
    t.match(trapping.mail, [{ topic: '@link_down', payload: { pid: here.pid, reason: 'boom' } }])
    t.ok(a.alive(calm.pid))
    a.exit(calm.pid)
    await trapping.exit()
  })

  sentence('linking the dead acts as their end: noproc, or noconnection where nobody can be asked', async (t, nodes) => {
    const { a, b } = nodes
    for (const [pid, reason] of [[await dead(b), 'noproc'], [nowhere, 'noconnection']] as const) {
      const here = await started(nodes)
      here.link(pid)
      t.match(await a.exited(here.pid), { reason: new RegExp(`^(${reason}|noproc)$`) })
      const trapping = await started(nodes, { trapLinks: true })
      trapping.link(pid)
      t.match(await trapping.receive(), { topic: '@link_down', payload: { pid, reason } })
      a.exit(trapping.pid)
    }
  })

  sentence('a spawn may link with a process elsewhere', async (t, nodes) => {
    const { a, b, c } = nodes
    const peer = await b.spawn()
    const here = await started(nodes, { link: peer.pid })
    const far = await c.spawn({ link: peer.pid })
    await here.call(peer.pid as string, 'echo')
    await far.does('call', peer.pid, 'echo')
    const exited = a.exited(here.pid)
    a.exit(peer.pid, 'boom')
    t.match(await Promise.all([exited, far.exited]), [{ reason: 'boom' }, { reason: 'boom' }])
    const late = await c.spawn({ link: peer.pid })
    t.match(await late.exited, { reason: 'noproc' })
  })
}

function shared (sentence: Sentence): void {
  sentence('a name has one holder, known on every node, and is free when it ends', async (t, { a, b, c }) => {
    const { names } = a.cluster!
    const [one, two] = [await b.spawn(), await c.spawn()]
    const first = await b.ask('names', 'register', 'biller', one.pid)
    t.match(await names.lookup('biller'), { pid: one.pid, fence: first.fence })
    t.match(await c.ask('names', 'lookup', 'biller'), { pid: one.pid })
    await t.rejects(c.ask('names', 'register', 'biller', two.pid), { code: 'FST_CLUSTER_NAME_TAKEN' })
    await one.exit('boom')
    const second = await taken(async () => await c.ask('names', 'register', 'biller', two.pid))
    t.ok(second.fence > first.fence, `${second.fence} after ${first.fence}`)
    t.match(await names.lookup('biller'), { pid: two.pid })
    t.equal(await c.ask('names', 'unregister', 'biller'), true)
    t.equal(await names.lookup('biller'), undefined)
    await t.rejects(names.register('biller', two.pid), { code: 'FST_PROCESS_NOT_ALIVE' }, 'as in OTP, of its own processes')
    await two.exit()
  })

  sentence('a broadcast reaches each member on every node once, except one', async (t, { a, b, c }) => {
    const { groups } = a.cluster!
    const here = probe(a)
    const there = await b.spawn()
    const third = await c.spawn()
    await Promise.all([groups.join('news', here.pid), groups.join('news', here.pid), b.ask('groups', 'join', 'news', there.pid), c.ask('groups', 'join', 'news', third.pid)])
    t.strictSame((await groups.members('news')).members.sort(), [here.pid, there.pid, third.pid].sort())
    t.ok(groups.broadcast('news', 'one', { n: 1 }))
    t.ok(groups.broadcast('news', 'two', 2, { except: there.pid }))
    t.ok(await b.ask('groups', 'broadcast', 'news', 'three', 3))
    await Promise.all([third.until(3), here.until(3), there.until(2)])
    t.strictSame(there.topics.sort(), ['one', 'three'])
    // Those of `a` in their order; that of `b` has none with them.
    for (const topics of [third.topics, here.seen.map(({ topic }) => topic as string)]) {
      t.strictSame(topics.filter((topic) => topic !== 'three'), ['one', 'two'])
      t.equal(topics.length, 3)
    }
    t.notOk(groups.broadcast('news', 'bad', () => {}), 'what is no plain data')
    await there.exit()
    t.equal(await groups.leave('news', here.pid), true)
    while ((await groups.members('news')).members.includes(there.pid));
    a.exit(here.pid)
    await third.exit()
  })
}

/** A name is free a moment after its holder has ended: what frees it is under way. */
async function taken<T> (register: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await register()
    } catch (err) {
      if (tries === 1000 || (err as { code?: string }).code !== 'FST_CLUSTER_NAME_TAKEN') throw err
    }
  }
}

const kinds: Record<string, [sent: unknown, arrives: unknown]> = {
  undefined: [undefined, undefined],
  null: [null, null],
  'an empty text': ['', ''],
  'any text': ['grüße 漢字 😀 \0', 'grüße 漢字 😀 \0'],
  numbers: [[0, -0, -1, 2 ** 53, 1.5, NaN, Infinity], [0, -0, -1, 2 ** 53, 1.5, NaN, Infinity]],
  bytes: [new Uint8Array([0, 255]), Buffer.from([0, 255])],
  'no bytes': [Buffer.alloc(0), Buffer.alloc(0)],
  'bytes inside': [{ data: Buffer.from([1, 2]) }, { data: Buffer.from([1, 2]) }],
  'a date': [new Date(1_234_567_890_123), new Date(1_234_567_890_123)],
  'a large integer': [2n ** 62n, 2n ** 62n],
  'a small one': [5n, 5n],
  'a map, as an object': [new Map([['a', 1]]), { a: 1 }],
  'a set, as an array': [new Set(['a', 1]), ['a', 1]],
  'undefined inside': [{ a: undefined, b: [undefined] }, { a: undefined, b: [undefined] }],
  'much of it': ['x'.repeat(3_000_000), 'x'.repeat(3_000_000)]
}

function payloads (sentence: Sentence): void {
  sentence('plain data arrives as what it was, there and back', async (t, { a, b }) => {
    const there = await b.spawn()
    for (const [i, [kind, [sent, arrives]]] of Object.entries(kinds).entries()) {
      const back = await a.call(there.pid as string, 'echo', sent, { timeout: '1m' })
      t.strictSame(back, arrives, kind)
      t.strictSame((await there.until(i + 1))[i].payload, arrives, `${kind}, as it was received`)
    }
    await there.exit()
  })

  sentence('what is no plain data is refused, and nothing of it arrives', async (t, { a, b }) => {
    const there = await b.spawn()
    const circular: { self?: unknown } = {}
    circular.self = circular
    for (const payload of [() => {}, Symbol('s'), circular, { deep: () => {} }, 2n ** 70n]) {
      t.equal(a.send(there.pid as string, 'x', payload), false)
      await t.rejects(a.call(there.pid as string, 'x', payload), { code: 'FST_PROCESS_REFUSED' })
    }
    t.equal(await a.call(there.pid as string, 'echo', 'last'), 'last')
    t.strictSame(there.topics, ['echo'])
    await there.exit()
  })
}
