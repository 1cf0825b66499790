// docs/metrics.md lists the metrics that the code has, and the alert rules.
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import * as client from 'prom-client'
import t from 'tap'
import { closeCodes } from '../../lib/connection/close-codes.js'
import { metrics, turnMetric, usualCloses } from '../../lib/metrics/table.js'
import { collect, observe } from '../../lib/metrics/index.js'
import { build } from '../helpers.js'
import { run, snippet } from './snippets.js'
import { page, rows, spans } from './tables.js'

t.test('the table of metrics has each name, type and label', async (t) => {
  const listed = (await rows('docs/metrics.md', 'name', 'type', 'labels', 'meaning'))
    .map(([name, type, labels]) => ({ name: spans(name)[0], type, labels: spans(labels) }))
  const written = metrics.map(({ name, type, labels }) => ({ name, type, labels }))
  t.strictSame(listed, [...written, { name: turnMetric.name, type: 'histogram', labels: [] }])
})

t.test('the table of alerts has each alert rule', async (t) => {
  const listed = (await rows('docs/metrics.md', 'alert', 'when', 'first step'))
    .map(([name]) => spans(name)[0])
  const rules = (await page('docs/prometheus/alerts.yml')).matchAll(/- alert: (\w+)/g)
  t.strictSame(listed, Array.from(rules, ([, name]) => name))
})

t.test('the usual closes are those of the table of close codes', async (t) => {
  const fixed = Object.values(closeCodes)
    .filter((row) => typeof row.code !== 'symbol')
    .map(({ cause, code }) => `${cause} ${String(code)}`)
  const usual = usualCloses.map(({ cause, code }) => `${cause} ${code}`)
  t.strictSame([...new Set(fixed)].filter((one) => !usual.includes(one)), [])
  const causes = new Set<string>(Object.values(closeCodes).map(({ cause }) => cause))
  t.strictSame(new Set(usualCloses.map(({ cause }) => cause)), causes)
})

/** The code below a heading, without its imports. */
async function code (heading: string): Promise<string> {
  return (await snippet('docs/metrics.md', heading)).replace(/^import .*$/gm, '')
}

t.test('the example for Prometheus gives the metrics to a GET', async (t) => {
  const app = await build(t)
  t.teardown(() => { client.register.clear() })
  await run(t, await code('Prometheus'), { app, client, collect })
  const { headers, body } = await app.inject('/metrics')
  t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/)
  t.match(body, /^ws_relay_ready 1$/m)
})

t.test('the example for OpenTelemetry makes the instruments', async (t) => {
  const app = await build(t)
  const names: string[] = []
  const meter = new MeterProvider().getMeter('test')
  const create = meter.createObservableGauge.bind(meter)
  meter.createObservableGauge = (name, options) => {
    names.push(name)
    return create(name, options)
  }
  const metrics = { getMeter: () => meter }
  await run(t, await code('OpenTelemetry'), { app, metrics, observe })
  t.ok(names.includes('ws_relay_connections'))
})
