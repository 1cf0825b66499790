// The real Prometheus reads the metrics of the demo and of a node of a cluster. It runs each query
// of the dashboard, and the alert rules.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as successor from '@prometheus-io/client'
import * as client from 'prom-client'
import t from 'tap'
import { build as buildDemo } from '../../examples/demo/app.js'
import { memory, MemoryHub } from '../../lib/cluster/engines/memory.js'
import { collect } from '../../lib/metrics/index.js'
import { metrics, turnMetric } from '../../lib/metrics/table.js'
import { createProcesses } from '../../lib/process/index.js'
import { Client, listen, portOf } from '../examples/fixtures/client.js'
import { build, until } from '../helpers.js'
import { missing } from '../installed.js'
import { pause } from '../laps.js'
import { root } from '../program.js'
import { dashboardQueries, Prometheus, promtool, shipped } from './prometheus.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'

const skip = missing('prometheus') || missing('promtool')

interface Rule { readonly name: string, readonly health: string, readonly lastError?: string }

/** The demo, after some people were in its chat. */
async function demo (t: Test): Promise<FastifyInstance> {
  const app = await listen(t, await buildDemo())
  const ada = await Client.connect(t, app, '/rooms/lobby?name=Ada')
  await ada.next('welcome')
  const grace = await Client.connect(t, app, '/rooms/lobby?name=Grace')
  await grace.next('welcome')
  grace.send({ topic: 'say', data: { key: '1', text: 'Good morning' } })
  await ada.next<{ text: string }>('line', ({ text }) => text === 'Good morning')
  grace.close()
  await grace.closed
  return app
}

/** A node of a cluster of two. The other client makes its metrics, in the format OpenMetrics. */
async function node (t: Test): Promise<FastifyInstance> {
  const hub = new MemoryHub()
  const app = await build(t, { node: 'a', cluster: memory({ hub }) })
  const other = createProcesses({ node: 'b', cluster: memory({ hub }) })
  t.teardown(() => other.close())
  await app.processes.keyed('room', { start: (self) => self.serve({}) }).get('lobby')
  const registry = new successor.Registry()
  registry.setContentType(successor.openMetricsContentType as never)
  collect(app.processes, successor, { registry })
  app.get('/metrics', async (request, reply) => {
    reply.type(registry.contentType)
    return await registry.metrics()
  })
  await listen(t, app)
  await other.ready()
  await until(() => app.processes.cluster!.stats().up === 1)
  return app
}

t.test('Prometheus reads the metrics, and has series for the dashboard', { skip }, async (t) => {
  const apps = [await demo(t), await node(t)]
  const [demoAt, nodeAt] = apps.map((app) => `127.0.0.1:${portOf(app)}`)
  const prometheus = await Prometheus.start(t, [demoAt, nodeAt])
  await prometheus.scraped('ws_relay_restarts_total', apps.length)

  const parts = ['bucket', 'sum', 'count'].map((part) => `${turnMetric.name}_${part}`)
  for (const name of [...metrics.map(({ name }) => name), ...parts]) {
    t.not((await prometheus.query(`ws_relay_${name}`)).length, 0, name)
  }
  const types = await prometheus.get<Record<string, Array<{ type: string }>>>('metadata')
  for (const { name, type } of [...metrics, { ...turnMetric, type: 'histogram' }]) {
    t.same(types[`ws_relay_${name}`].map(({ type }) => type), [type], name)
  }
  for (const { panel, expr } of await dashboardQueries()) {
    t.not((await prometheus.query(expr)).length, 0, `${panel}: ${expr}`)
  }
  t.same(await prometheus.get('label/instance/values'), [demoAt, nodeAt].sort())

  const value = async (query: string): Promise<string> => {
    return (await prometheus.query(query))[0].value[1]
  }
  const closed = 'ws_relay_connections_closed_total{cause="client",code="none"'
  t.equal(await value(`ws_relay_connections{state="open",instance="${demoAt}"}`), '1')
  t.equal(await value(`${closed},instance="${demoAt}"}`), '1')
  t.equal(await value(`ws_relay_messages_total{direction="in",instance="${demoAt}"}`), '1')
  t.equal(await value(`ws_relay_connections_limit{state="open",instance="${demoAt}"}`), '+Inf')
  t.equal(await value(`ws_relay_cluster_nodes_up{instance="${nodeAt}"}`), '1')

  let rules: Rule[] = []
  do {
    await pause()
    const { groups } = await prometheus.get<{ groups: Array<{ rules: Rule[] }> }>('rules')
    rules = groups.flatMap((group) => group.rules)
  } while (rules.some(({ health }) => health === 'unknown'))
  t.same(rules.map(({ health }) => health), ['ok', 'ok', 'ok', 'ok', 'ok'])
})

for (const [name, module] of Object.entries({ 'prom-client': client, successor })) {
  t.test(`promtool finds no fault in the text of ${name}`, { skip }, async (t) => {
    const { processes } = await build(t)
    const registry = new module.Registry()
    collect(processes, module, { registry })
    t.equal(await promtool(['check', 'metrics'], await registry.metrics()), '')
  })
}

t.test('promtool accepts the alert rules, and each fires when it has to', { skip }, async (t) => {
  t.match(await promtool(['check', 'rules', shipped('alerts.yml')]), /5 rules found/)
  const cases = join(root, 'test', 'metrics', 'alerts.yml')
  t.match(await promtool(['test', 'rules', cases]), /SUCCESS/)
  const names = (text: string): string[] => {
    return Array.from(text.matchAll(/(?:alert|alertname): (\w+)/g), ([, name]) => name)
  }
  const tested = new Set(names(await readFile(cases, 'utf8')))
  t.same([...tested], names(await readFile(shipped('alerts.yml'), 'utf8')))
})
