// `observe`: the same numbers for a meter of OpenTelemetry, read by its own SDK.
import t from 'tap'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { observe } from '../../lib/metrics/index.js'
import { build } from '../helpers.js'
import { play } from './history.js'
import type { MeasuredProcesses, OpenTelemetryMeter } from '../../lib/metrics/index.js'

class Reader extends MetricReader {
  async onShutdown (): Promise<void> {}
  async onForceFlush (): Promise<void> {}
}

t.test('reports the numbers of a known history', async (t) => {
  const { app: { processes }, bytes } = await play(t)
  const reader = new Reader()
  const provider = new MeterProvider({ readers: [reader] })
  t.teardown(() => provider.shutdown())
  observe(processes, provider.getMeter('test'))
  const { turns } = processes.stats()
  const { resourceMetrics, errors } = await reader.collect()
  t.strictSame(errors, [])
  const value = (name: string, labels: object = {}): unknown => {
    const metric = resourceMetrics.scopeMetrics[0].metrics
      .find(({ descriptor }) => descriptor.name === `ws_relay_${name}`)
    const wanted = JSON.stringify(labels)
    return metric?.dataPoints.find(({ attributes }) => JSON.stringify(attributes) === wanted)?.value
  }
  t.equal(value('connections', { state: 'open' }), 3)
  t.equal(value('connections', { state: 'suspended' }), 1)
  t.equal(value('connections_closed_total', { cause: 'protocol', code: '1002' }), 1)
  t.equal(value('bytes_total', { direction: 'in' }), bytes.written)
  t.equal(value('restarts_total'), 2)
  t.equal(value('refused_total', { why: 'full' }), 3)
  t.equal(value('cluster_nodes_up'), 0)
  t.equal(value('turn_seconds_count'), turns.count)
  t.equal(value('turn_seconds_sum'), turns.total / 1000)
  t.equal(value('turn_seconds_bucket', { le: '+Inf' }), turns.count)
  t.equal(value('turn_seconds_bucket', { le: '0.001' }), turns.buckets[0].count)
})

t.test('refuses arguments that are not valid', async (t) => {
  const { processes } = await build(t)
  const meter = new MeterProvider().getMeter('test')
  const code = 'FST_WS_RELAY_INVALID_OPTIONS'
  t.throws(() => { observe({} as MeasuredProcesses, meter) }, { code })
  for (const bad of [null, {}]) {
    t.throws(() => { observe(processes, bad as unknown as OpenTelemetryMeter) }, {
      code, message: /has no 'createObservableGauge'/
    })
  }
  t.throws(() => { observe(processes, meter, { prefix: '' }) }, { code, message: /'prefix'/ })
})
