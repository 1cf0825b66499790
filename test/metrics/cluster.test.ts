// The figures of a cluster: each field of its statistics, and those of real nodes.
import t from 'tap'
import { TestCluster } from '../cluster/nodes.js'
import { joined, Keeper, start } from '../integration/connection/support.js'
import { build, until } from '../helpers.js'
import { read, readCounted } from './samples.js'
import type { MeasuredProcesses } from '../../lib/metrics/index.js'

t.test('has each number of the cluster in its place', async (t) => {
  const { processes } = await build(t)
  const source = {
    stats: processes.stats,
    health: processes.health,
    cluster: {
      stats: () => ({
        framesIn: 1,
        framesOut: 2,
        batchesIn: 3,
        batchesOut: 4,
        resent: 5,
        torn: 6,
        garbage: 7,
        stalls: 8,
        fences: 9,
        up: 10,
        unacknowledged: 11,
        refused: { b: 12, c: 13 }
      })
    }
  } as unknown as MeasuredProcesses
  for (const [name, expected] of Object.entries({
    frames_total: { in: 1, out: 2 },
    batches_total: { in: 3, out: 4 },
    resent_total: { '': 5 },
    torn_total: { '': 6 },
    garbage_total: { '': 7 },
    stalls_total: { '': 8 },
    fences_total: { '': 9 },
    nodes_up: { '': 10 },
    unacknowledged: { '': 11 },
    refused_total: { b: 12, c: 13 }
  })) t.strictSame(await read(source, `cluster_${name}`), expected, name)
})

t.test('counts what happens between two real nodes', async (t) => {
  const cluster = new TestCluster(t)
  const rig = await start(t, { node: 'a', cluster: cluster.engine() })
  const b = await cluster.node('b')
  const { processes } = rig
  await until(() => processes.cluster!.stats().up === 1)
  const frames = await read(processes, 'cluster_frames_total')
  const target = new Keeper({ processes: b })
  const { peer, pid } = await joined(t, rig, {}, target)
  peer.text('hello')
  await target.until('ws.message')
  const later = await read(processes, 'cluster_frames_total')
  t.ok(later.out >= frames.out + 2, 'a join and a message')
  t.strictSame(await read(processes, 'cluster_nodes_up'), { '': 1 })
  t.strictSame(await read(processes, 'cluster_refused_total'), { b: 0 })

  const exited = processes.exited(pid)
  await b.close()
  await exited
  t.strictSame(await readCounted(processes, 'connections_closed_total'), { 'target 1012': 1 })
  await until(() => processes.cluster!.stats().up === 0)
  t.strictSame(await read(processes, 'cluster_nodes_up'), { '': 0 })
  t.notOk(processes.send(target.pid, 'hello'))
  t.strictSame(await readCounted(processes, 'refused_total'), { remote: 1 })
})
