// `cluster.explain`: the causes of ends across nodes.
import t from 'tap'
import { once } from 'node:events'
import Fastify from 'fastify'
import { TestCluster } from './nodes.js'
import { wsRelay } from '../../lib/index.js'
import { listen, open, until } from '../helpers.js'
import type { Pid } from '../../types/pid.js'
import type { Process, Processes, ProcessSystem } from '../../types/processes.js'

function worker (self: Process<{ fail: string, link: string }>): Promise<void> {
  return self.serve({
    fail: (text) => { throw new Error(text) },
    link: (pid, message) => {
      self.link(pid)
      message.reply(undefined)
    }
  })
}

async function linkedWith (system: ProcessSystem, pid: Pid, name?: string): Promise<Pid> {
  const other = system.spawn(worker, { name })
  await system.call(other, 'link', pid)
  // The answer of the other node comes after the link.
  await system.call(pid, 'link', other)
  return other
}

/** The text without incarnations, lines and times. */
async function textOf (system: Processes, pid: Pid): Promise<string> {
  const { text } = (await system.cluster!.explain(pid))!
  return text
    .replaceAll(/(@\w+)\.\w+/g, '$1')
    .replaceAll(/\.ts:\d+/g, '.ts:0')
    .replaceAll(/\d+(\.\d)? (ms|s)\b/g, '0 ms')
}

t.test('follows a chain of links over two nodes, from each of them', async (t) => {
  const cluster = new TestCluster(t)
  const [a, b] = [await cluster.node('a'), await cluster.node('b')]
  const root = a.spawn(worker, { name: 'root' })
  const middle = await linkedWith(b, root, 'middle')
  const last = await linkedWith(a, middle, 'last')
  const beside = await linkedWith(b, middle, 'beside')
  t.equal(a.send(root, 'fail', 'the first'), true)
  await until(() => !a.alive(last) && !b.alive(beside))
  for (const system of [a, b]) {
    const { chain, together } = (await system.cluster!.explain(last))!
    t.match(chain, [
      { pid: last, cause: 'link', because: middle },
      { pid: middle, cause: 'link', because: root },
      { pid: root, cause: 'failed', error: { message: 'the first' } }
    ])
    t.equal(chain.length, 3)
    t.equal(together, 3)
    t.equal(await textOf(system, last),
      'process `last` (2@a) ended with a linked process 0 ms ago, because process `middle` (1@b) ' +
      'ended with a linked process, because process `root` (1@a) failed: Error: the first ' +
      '(explain.test.ts:0); 3 processes ended with it')
  }
  t.strictSame(
    (await a.cluster!.explain(beside))!.chain.map(({ pid }) => pid), [beside, middle, root]
  )
  const local = a.explain(last)!
  t.equal(local.chain.length, 1, 'one node knows its own part')
  t.match(local.text, new RegExp(`, because ${middle} ended$`))
  t.equal(a.explain(middle), undefined)
})

t.test('is a method of the cluster that a process sees', async (t) => {
  const cluster = new TestCluster(t)
  const [a, b] = [await cluster.node('a'), await cluster.node('b')]
  const pid = b.spawn(worker)
  const by = a.spawn((self) => { self.exit(pid, 'from afar') })
  await until(() => !b.alive(pid))
  const seen = new Promise((resolve) => {
    a.spawn(async (self) => { resolve(await self.cluster!.explain(pid)) })
  })
  t.match(await seen, { pid, chain: [{ cause: 'exit', reason: 'from afar', by }] })
})

t.test('answers for a process that lives, is forgotten, or never was', async (t) => {
  const cluster = new TestCluster(t)
  const [a, b] = [await cluster.node('a'), await cluster.node('b', { keepEnds: 1 })]
  const alive = b.spawn(worker, { name: 'alive' })
  const [first, second] = [b.spawn(() => {}), b.spawn(() => {})]
  await until(() => !b.alive(second))
  t.match(await a.cluster!.explain(alive), { state: 'alive', chain: [], text: /`alive`/ })
  t.match(await a.cluster!.explain(first), { state: 'forgotten', chain: [] })
  t.match(await a.cluster!.explain(second), { state: 'ended' })
  const never = second.replace(/^\d+/, '99')
  for (const pid of [never, 'no pid', '']) t.equal(await a.cluster!.explain(pid), undefined)
  await t.rejects(a.cluster!.explain(5 as never), { code: 'FST_PROCESS_INVALID_PID' })
})

t.test('says that the end of a cause is forgotten on its node', async (t) => {
  const cluster = new TestCluster(t)
  const [a, b] = [await cluster.node('a'), await cluster.node('b', { keepEnds: 1 })]
  const root = b.spawn(worker)
  const pid = await linkedWith(a, root)
  b.send(root, 'fail', 'x')
  await until(() => !a.alive(pid))
  const other = b.spawn(() => {})
  await until(() => !b.alive(other))
  t.match(await a.cluster!.explain(pid), { state: 'ended', chain: [{ because: root }] })
  t.match(await textOf(a, pid), /, because 1@b ended, which is not remembered any more$/)
})

t.test('says that a node is not there any more', async (t) => {
  const cluster = new TestCluster(t)
  const [a, b] = [await cluster.node('a'), await cluster.node('b')]
  const root = b.spawn(worker)
  const pid = await linkedWith(a, root)
  b.send(root, 'fail', 'x')
  await until(() => !a.alive(pid))
  await b.close()
  t.match(await a.cluster!.explain(root), { pid: root, state: 'unreachable', chain: [] })
  t.equal(await textOf(a, root), 'the node of 1@b did not answer, or is not there any more')
  t.match(await a.cluster!.explain(pid), { state: 'ended', chain: [{ because: root }] })
  t.match(await textOf(a, pid), /, because 1@b ended, whose node did not answer$/)
})

t.test('does not blame a process that was only out of reach', async (t) => {
  const cluster = new TestCluster(t)
  const a = await cluster.node('a')
  const pid = a.spawn(worker, { link: '5@nowhere.1' })
  await until(() => !a.alive(pid))
  t.match(await a.cluster!.explain(pid), { chain: [{ reason: 'noconnection' }] })
  t.match(await textOf(a, pid), /, because the node of 5@nowhere could not be reached$/)
})

t.test('follows a socket to its target on another node', async (t) => {
  const cluster = new TestCluster(t)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(wsRelay, { node: 'web', cluster: cluster.engine() })
  const b = await cluster.node('b')
  await until(() => app.processes.cluster!.nodes().length === 1)
  const clients: Pid[] = []
  const target = b.spawn(async function room (self: Process<{ fail: string }>) {
    await self.serve({
      'ws.join': ({ client_pid }) => { clients.push(client_pid) },
      fail: (text) => { throw new Error(text) }
    })
  })
  app.get('/', (request, reply) => { reply.relay(target).send() })
  const port = await listen(app)
  const sockets = [
    await open(t, `ws://127.0.0.1:${port}`), await open(t, `ws://127.0.0.1:${port}`)
  ]
  await until(() => clients.length === 2)
  b.send(target, 'fail', 'x')
  await Promise.all(sockets.map((socket) => once(socket, 'close')))
  for (const system of [app.processes, b]) {
    t.match(await system.cluster!.explain(clients[0]), {
      together: 2,
      chain: [{ cause: 'target', code: 1011, because: target }, { pid: target, cause: 'failed' }]
    })
  }
  t.equal(await textOf(b, clients[1]),
    'connection 2@web was closed with 1011 `target process exited` 0 ms ago, because process ' +
    '`room` (1@b) failed: Error: x (explain.test.ts:0); 2 connections ended with it')
})

t.test('tells that the node of a target was closing', async (t) => {
  const cluster = new TestCluster(t)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(wsRelay, { node: 'web', cluster: cluster.engine() })
  const b = await cluster.node('b')
  await until(() => app.processes.cluster!.nodes().length === 1)
  const joined: Pid[] = []
  const target = b.spawn(async (self: Process) => {
    await self.serve({ 'ws.join': ({ client_pid }) => { joined.push(client_pid) } })
  })
  app.get('/', (request, reply) => { reply.relay(target).send() })
  const socket = await open(t, `ws://127.0.0.1:${await listen(app)}`)
  await until(() => joined.length === 1)
  const closed = once(socket, 'close')
  await b.close()
  await closed
  t.equal(app.processes.explain(joined[0])!.text.replaceAll(/\.\w+|\d+(\.\d)? ms/g, ''),
    'connection 1@web was closed with 1012 `target node closing`  ago, because the node of 1@b ' +
    'was closing')
})
