// A connection with `resume` whose target runs on another node.
import t from 'tap'
import { TestCluster } from '../../cluster/nodes.js'
import { build, listen, until } from '../../helpers.js'
import { Keeper } from '../connection/support.js'
import { WireClient } from './wire-client.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { ClusterEngine } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'
import type { ProcessSystem } from '../../../types/processes.js'

interface Setting {
  app: FastifyInstance
  cluster: TestCluster
  /** The engine of the node `b`. */
  engine: ClusterEngine
  b: ProcessSystem
  target: Keeper
  client: WireClient
  pid: Pid
}

/** A client of node `a` that is away. Its target on node `b` has its message `a`. */
async function suspended (t: Test): Promise<Setting> {
  const cluster = new TestCluster(t)
  const engine = cluster.engine()
  const app = await build(t, {
    node: 'a', cluster: cluster.engine(), resume: { notify: true }
  })
  const b = await cluster.node('b', {}, engine)
  const target = new Keeper({ processes: b })
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  const port = await listen(app)
  await until(() => app.processes.cluster!.nodes().some(({ state }) => state === 'up') &&
    b.cluster!.nodes().length === 1)
  const client = new WireClient(t, { port })
  await client.connect()
  client.send('a')
  const [{ client_pid: pid }] = await target.until('ws.message')
  await client.cut()
  t.match(await target.until('ws.suspend'), [{ client_pid: pid, cause: 'lost' }])
  return { app, cluster, engine, b, target, client, pid: pid as Pid }
}

function topicsOf ({ mail }: Keeper): string[] {
  return mail.map(({ topic }) => topic).filter((topic) => topic.startsWith('ws.'))
}

t.test('keeps its target while its client is away', async (t) => {
  const { b, target, client, pid } = await suspended(t)
  t.ok(b.send(pid as string, 'ws.send', { data: 'while away' }))
  client.send('b')
  t.match((await client.connect()).hello, { resumed: true, from: 1, received: 1 })
  await client.until(() => client.received.length === 1)
  t.same(client.received, ['while away'])
  await target.until('ws.message', 2)
  t.same(target.texts, ['a', 'b'])
  t.same(topicsOf(target), ['ws.join', 'ws.message', 'ws.suspend', 'ws.resume', 'ws.message'])
})

t.test('moves to a target on another node while its client is away', async (t) => {
  const { app, cluster, target, client, pid } = await suspended(t)
  const c = await cluster.node('c')
  await until(() => app.processes.cluster!.nodes().length === 2)
  const next = new Keeper({ processes: c })
  await app.processes.call(pid, 'ws.control', { target_pid: next.pid })
  t.match(await next.until('ws.join'), [{ client_pid: pid, connected: false }])
  t.match(await target.until('ws.leave'), [{ cause: 'transfer' }])
  client.send('b')
  await client.connect()
  await next.until('ws.message')
  t.same(next.texts, ['b'])
  t.same(topicsOf(next), ['ws.join', 'ws.resume', 'ws.message'])
})

t.test('tells a client that the node of its target has closed while it was away', async (t) => {
  const { app, b, client, pid } = await suspended(t)
  const exited = app.processes.exited(pid)
  await b.close()
  t.match(await exited, { value: { cause: 'target', code: 1012, away: Number } })
  const wire = await client.connect()
  t.match(wire.hello, { resumed: false, why: 'ended' })
  await wire.closed()
  t.same(wire.close, { code: 1012, reason: 'target node closing' })
})

t.test('tells a client that the node of its target was lost while it was away', async (t) => {
  const { app, cluster, engine, client, pid } = await suspended(t)
  const exited = app.processes.exited(pid)
  cluster.hub.cut(engine.transport)
  t.match(await exited, { value: { cause: 'target', code: 1012, away: Number } })
  const wire = await client.connect()
  t.match(wire.hello, { resumed: false, why: 'ended' })
  await wire.closed()
  t.same(wire.close, { code: 1012, reason: 'target node lost' })
  cluster.hub.mend(engine.transport)
})
