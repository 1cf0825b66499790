import t from 'tap'
import Fastify from 'fastify'
import { dashboard, showNode } from '../../lib/dashboard/index.js'
import { runtimeOf } from '../../lib/process/processes.js'
import { createProcesses } from '../../lib/process/index.js'
import { wsRelay } from '../../lib/index.js'
import { Rig } from '../connection/transports/clients.js'
import { TestCluster } from '../cluster/nodes.js'
import { listen, until } from '../helpers.js'
import { allowAll, openPage } from './support.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Page } from './support.js'
import type { RemoteNodes } from '../../lib/process/remote/remote-nodes.js'
import type { Pid } from '../../types/pid.js'
import type { Process, ProcessSystem } from '../../types/processes.js'

/** A server with a dashboard, on a cluster with two other nodes. */
async function build (t: Test) {
  const cluster = new TestCluster(t)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(wsRelay, { node: 'web', cluster: cluster.engine() })
  await app.register(dashboard, { prefix: '/processes', onRequest: allowAll, actions: ['exit'] })
  // The same node twice.
  await app.register(dashboard, { prefix: '/again', onRequest: allowAll })
  const [worker, other] = [await cluster.node('worker'), await cluster.node('other')]
  showNode(worker)
  const port = await listen(app)
  const page = await openPage(t, port)
  await until(async () => {
    const { rows } = await page.watch({ view: 'nodes', id: 'until' })
    return rows.filter(({ viewable }) => viewable).length === 2
  })
  page.ask({ view: null, id: 'until' })
  return { app, page, worker, other, port }
}

async function room (self: Process<{ fail: undefined }>): Promise<void> {
  await self.serve({ fail: () => { throw new Error('bad') } })
}

/** The processes of a node that are traced or whose views are open. */
function viewersOf (system: ProcessSystem): number {
  return runtimeOf(system)!.relations.size
}

async function closed (app: FastifyInstance, page: Page): Promise<void> {
  await page.close()
  await until(() => app.processes.stats().connections.open === 0)
}

t.test('lists the nodes, and shows the views of those that have a dashboard', async (t) => {
  const { app, page, worker } = await build(t)
  const { rows, total } = await page.watch({ view: 'nodes' })
  t.equal(total, 3)
  t.match(rows, [
    { node: 'web', self: true, viewable: true, state: 'up' },
    { node: 'other', self: false, viewable: false, state: 'up' },
    { node: 'worker', self: false, viewable: true, state: 'up' }
  ])
  t.equal((await page.watch({ view: 'nodes', filter: 'WORK' })).matched, 1)

  const pid = worker.spawn(room, { name: 'room' })
  const processes = await page.watch({ view: 'processes', node: 'worker', filter: 'room' })
  t.match(processes, { node: 'worker', rows: [{ pid, name: 'room' }], total: 3 })
  t.match(await page.watch({ view: 'overview', node: 'worker' }), {
    node: 'worker', stats: { aliveBy: { process: 2 } }
  })
  t.match(await page.watch({ view: 'overview', node: 'web' }), { node: 'web' })
  await closed(app, page)
})

t.test('traces a process of another node, and leaves nothing there', async (t) => {
  const { app, page, worker, port } = await build(t)
  const pid = worker.spawn(room, { name: 'room' })
  const before = viewersOf(worker)
  const { deliver } = runtimeOf(worker)!.processTable.getEntity(pid)!
  const isTraced = (): boolean => {
    return runtimeOf(worker)!.processTable.getEntity(pid)?.deliver !== deliver
  }
  await page.watch({ view: 'trace', node: 'worker', pid })
  await page.watch({ view: 'nodes', id: 'same viewer', node: 'worker' })
  t.equal(isTraced(), true)
  page.ask({ view: null, id: 'trace' })
  await until(() => !isTraced())
  page.ask({ view: null, id: 'same viewer' })
  await until(() => viewersOf(worker) === before)

  // Another one goes without a word.
  const second = await openPage(t, port)
  await second.watch({ view: 'trace', node: 'worker', pid })
  t.equal(isTraced(), true)
  second.socket.terminate()
  await until(() => !isTraced() && viewersOf(worker) === before)

  const { id } = await page.watch({ view: 'trace', id: 9, node: 'worker', pid })
  worker.exit(pid)
  t.match(await page.next('answer', id), { pid, ended: true, events: [{ type: 'ended' }] })
  await closed(app, page)
})

t.test('says why a view of another node cannot be shown', async (t) => {
  const { app, page, worker } = await build(t)
  for (const node of ['other', 'nobody']) {
    page.ask({ view: 'overview', id: 1, node })
    t.match(await page.next('problem'), {
      id: 1, code: 'FST_WS_RELAY_INVALID_REQUEST', message: new RegExp(`'${node}' has no dashboard`)
    })
  }
  page.ask({ view: 'trace', id: 2, node: 'worker', pid: 'nobody' })
  t.match(await page.next('problem'), { id: 2, code: 'FST_PROCESS_NOT_ALIVE' })
  await page.watch({ view: 'overview', id: 3, node: 'worker' })
  await worker.close()
  t.match(await page.next('problem', 3), { id: 3, code: /^FST_PROCESS_/ })
  await closed(app, page)
})

t.test('explains an end of another node, and acts on its processes', async (t) => {
  const { app, page, worker } = await build(t)
  const pid = worker.spawn(room, { name: 'room' })
  worker.send(pid, 'fail')
  await until(() => !worker.alive(pid))
  t.match(await page.watch({ view: 'process', pid }), {
    explanation: { state: 'ended', chain: [{ pid, cause: 'failed' }] }
  })
  const victim = worker.spawn(room)
  page.ask({ action: 'exit', id: 1, pid: victim })
  t.match(await page.next('acted'), { ok: true })
  await until(() => !worker.alive(victim))
  t.match(worker.explain(victim)!.chain[0].by as Pid, /@web\./)
  await closed(app, page)
})

t.test('an agent ignores who is no process, and who has no views', async (t) => {
  const { worker } = await build(t)
  const agent = worker.list().find((pid) => worker.info(pid)!.label === 'dashboardAgent')!
  worker.send(agent, 'dashboard.next', { request: '{"view":"overview"}', key: 1 })
  worker.send(agent, 'dashboard.close', { key: 1 })
  const stranger = worker.spawn(async function stranger (self) {
    self.send(agent, 'dashboard.close', { key: 1 })
    await self.serve({})
  })
  const bad = worker.spawn(async (self: Process) => {
    return await self.call(agent, 'dashboard.next', { request: '{', key: 1 })
  })
  const { value } = await worker.exited(bad)
  t.match(value, { problem: { code: 'FST_WS_RELAY_INVALID_REQUEST' } })
  t.equal(worker.alive(stranger), true)
  t.equal(worker.alive(agent), true)
})

t.test('a node that closes leaves the views that others have of it', async (t) => {
  const { page, worker } = await build(t)
  await page.watch({ view: 'overview', node: 'worker' })
  await worker.close()
  t.equal(viewersOf(worker), 0)
})

t.test('an agent tries again when the engine does not take it as a member', async (t) => {
  const rig = new Rig()
  let joins = 0
  const join = async (): Promise<void> => { if (++joins < 3) throw new Error('away') }
  rig.runtime.clusterAccess.joinCluster({} as RemoteNodes, { groups: { join } } as never)
  showNode(rig.processes)
  showNode(rig.processes)
  await rig.settle()
  t.equal(joins, 1)
  for (const expected of [2, 3, 3]) {
    await rig.advance(3000)
    t.equal(joins, expected)
  }
  t.match(rig.processes.stats().aliveBy, { process: 1, supervisor: 1 })
})

t.test('showNode throws before the node has joined', async (t) => {
  const cluster = new TestCluster(t)
  const system = createProcesses({ node: 'early', cluster: cluster.engine() })
  t.teardown(() => system.close())
  t.throws(() => { showNode(system) }, { code: 'FST_CLUSTER_NOT_READY' })
  await system.ready()
  showNode(system)
  t.equal(system.stats().aliveBy.process, 1)
})
