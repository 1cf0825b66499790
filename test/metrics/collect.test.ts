// `collect`: the metrics of a known history, as the registries of both clients write them.
import t from 'tap'
import * as successor from '@prometheus-io/client'
import * as client from 'prom-client'
import { collect } from '../../lib/metrics/index.js'
import { noCluster } from '../../lib/metrics/table.js'
import { build, until } from '../helpers.js'
import { play } from './history.js'
import { parse } from './samples.js'
import type { CollectOptions, MeasuredProcesses, PrometheusClient } from '../../lib/metrics/index.js'

t.test('writes the numbers of a known history', async (t) => {
  const { app: { processes }, bytes } = await play(t)
  const { turns } = processes.stats()
  const expected = {
    'connections{state="open"}': 3,
    'connections{state="suspended"}': 1,
    'connections{state="paused"}': 1,
    'connections{state="parked"}': 0,
    'connections_limit{state="open"}': Infinity,
    'connections_limit{state="suspended"}': 10_000,
    connections_opened_total: 5,
    connections_transferred_total: 0,
    upgrades_abandoned_total: 1,
    spawned_total: 12,
    sent_total: 22,
    delivered_total: 14,
    'connections_closed_total{cause="client",code="1000"}': 1,
    'connections_closed_total{cause="protocol",code="1002"}': 1,
    'connections_closed_total{cause="protocol",code="1009"}': 0,
    'connections_closed_total{cause="lost",code="none"}': 0,
    'upgrades_refused_total{reason="application"}': 1,
    'upgrades_refused_total{reason="origin"}': 1,
    'upgrades_refused_total{reason="timeout"}': 0,
    'messages_total{direction="in"}': 7,
    'messages_total{direction="out"}': 2,
    'bytes_total{direction="in"}': bytes.written,
    'bytes_total{direction="out"}': bytes.read,
    'processes{kind="process"}': 2,
    'processes{kind="supervisor"}': 0,
    'processes{kind="ws"}': 3,
    'process_exits_total{reason="error"}': 3,
    'process_exits_total{reason="restart_intensity"}': 1,
    restarts_total: 2,
    give_ups_total: 1,
    'refused_total{why="full"}': 3,
    'dead_letters_total{why="none"}': 1,
    'dead_letters_total{why="ended"}': 2,
    'resumes_total{outcome="resumed"}': 1,
    'resumes_total{outcome="refused"}': 1,
    cluster_nodes_up: 0,
    'cluster_frames_total{direction="in"}': 0,
    turn_seconds_count: turns.count,
    turn_seconds_sum: turns.total / 1000,
    'turn_seconds_bucket{le="+Inf"}': turns.count
  }
  for (const [from, module] of Object.entries({ 'prom-client': client, successor })) {
    const registry = new module.Registry()
    collect(processes, module, { registry })
    const samples = parse(await registry.metrics())
    for (const [name, value] of Object.entries(expected)) {
      t.equal(samples.get(`ws_relay_${name}`), value, `${from}: ${name}`)
    }
    for (const { upTo, count } of turns.buckets) {
      t.equal(samples.get(`ws_relay_turn_seconds_bucket{le="${upTo / 1000}"}`), count, from)
    }
  }
})

t.test('reads the numbers anew, and once for each scrape', async (t) => {
  const { processes } = await build(t)
  let calls = 0
  const stats = processes.stats()
  const source = {
    stats: () => {
      calls++
      const closedBy = [{ cause: 'client', code: undefined, times: calls }]
      return { ...stats, connections: { ...stats.connections, closedBy } }
    },
    health: () => ({ ready: true }),
    cluster: { stats: () => ({ ...noCluster, up: 2, refused: { b: 4 } }) }
  } as unknown as MeasuredProcesses
  const registry = new client.Registry()
  collect(source, client, { registry, prefix: 'app_', labels: { zone: 'west' } })
  await registry.metrics()
  const before = calls
  const samples = parse(await registry.metrics())
  t.equal(calls, before + 1)
  const closed = 'app_connections_closed_total{zone="west",cause="client",code="none"}'
  t.equal(samples.get(closed), calls)
  t.equal(samples.get('app_cluster_nodes_up{zone="west"}'), 2)
  t.equal(samples.get('app_cluster_refused_total{zone="west",peer="b"}'), 4)
})

for (const [name, module] of Object.entries({ 'prom-client': client, successor })) {
  t.test(`gives the numbers of several workers to the sum of ${name}`, async (t) => {
    const workers = await Promise.all(['a', 'b'].map(async () => {
      const { processes } = await build(t)
      processes.spawn((self) => self.serve({}))
      await until(() => processes.stats().turns.count > 0)
      const registry = new module.Registry()
      collect(processes, module, { registry })
      return { turns: processes.stats().turns.count, values: await registry.getMetricsAsJSON() }
    }))
    const sum = module.AggregatorRegistry.aggregate(workers.map(({ values }) => values))
    const samples = parse(await sum.metrics())
    t.equal(samples.get('ws_relay_processes{kind="process"}'), 2)
    t.equal(samples.get('ws_relay_turn_seconds_count'), workers[0].turns + workers[1].turns)
  })
}

t.test('uses the registry of the client when none is given', async (t) => {
  t.teardown(() => { client.register.clear() })
  const { processes } = await build(t)
  collect(processes, client)
  t.match(await client.register.metrics(), /^ws_relay_restarts_total 0$/m)
})

t.test('registers nothing when the registry has one of the metrics', async (t) => {
  const { processes } = await build(t)
  const registry = new client.Registry()
  const registers = [registry]
  // eslint-disable-next-line no-new
  new client.Gauge({ name: 'ws_relay_turn_seconds', help: 'taken', registers })
  t.throws(() => { collect(processes, client, { registry }) }, {
    code: 'FST_WS_RELAY_INVALID_OPTIONS', message: /'ws_relay_turn_seconds' already/
  })
  t.equal(registry.getMetricsAsArray().length, 1)
})

t.test('refuses arguments that are not valid', async (t) => {
  const { processes } = await build(t)
  const refuse = (
    message: RegExp, options: unknown, module: unknown = client, source: unknown = processes
  ): void => {
    t.throws(() => {
      collect(source as MeasuredProcesses, module as PrometheusClient, options as CollectOptions)
    }, { code: 'FST_WS_RELAY_INVALID_OPTIONS', message })
  }
  refuse(/'app.processes' as the first/, {}, client, {})
  refuse(/'app.processes' as the first/, {}, client, null)
  refuse(/has no 'Gauge'/, {}, null)
  refuse(/has no 'Histogram'/, {}, { ...client, Histogram: undefined })
  refuse(/'prefix' must be/, { prefix: 'a-b' })
  refuse(/'prefix' must be/, { prefix: 1 })
  refuse(/'registry' must be/, { registry: {} })
  refuse(/'registry' must be/, {}, { ...client, register: undefined })
  refuse(/'labels' must be/, { labels: 'x' })
  refuse(/'labels' must be/, { labels: null })
  refuse(/label 'state' of their own/, { labels: { state: 'x' } })
  refuse(/label 'le' of their own/, { labels: { le: 'x' } })
  refuse(/no name of a label/, { labels: { 'a-b': 'x' } })
  refuse(/must be a string/, { labels: { zone: 1 } })
})
