// `processes.health()` on a node of a cluster: first what the node itself is doing.
import t from 'tap'
import { createProcesses } from '../../lib/process/index.js'
import { until } from '../laps.js'
import { TestCluster } from './nodes.js'

t.test('says that a node is starting until it has joined', async (t) => {
  const cluster = new TestCluster(t)
  const processes = createProcesses({ node: 'a', cluster: cluster.engine() })
  t.strictSame(processes.health(), { ready: false, problem: 'starting' })
  await processes.ready()
  t.strictSame(processes.health(), { ready: true })
  await processes.close()
  t.strictSame(processes.health(), { ready: false, problem: 'closing' })
})

t.test('has the problems of the cluster, and those of a drain before them', async (t) => {
  const cluster = new TestCluster(t)
  const processes = await cluster.node('a')
  t.strictSame(processes.health(), { ready: true })
  cluster.hub.stop()
  await until(() => !processes.cluster!.health().ready)
  t.strictSame(processes.health(), { ready: false, problem: 'engine away' })
  await processes.drain()
  t.strictSame(processes.health(), { ready: false, problem: 'draining' })
  cluster.hub.start()
  await until(() => processes.cluster!.health().ready)
  t.strictSame(processes.health(), { ready: false, problem: 'draining' })
})
