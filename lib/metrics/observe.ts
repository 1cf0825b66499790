import { checkPrefix, checkSource, invalid, isFunction, takeSnapshot } from './source.js'
import { metrics, turnMetric } from './table.js'
import type { MeasuredProcesses } from './source.js'

/** The parts of a `Meter` of OpenTelemetry that are used here. */
export interface OpenTelemetryMeter {
  createObservableGauge (name: string, options: InstrumentOptions): object
  createObservableCounter (name: string, options: InstrumentOptions): object
  addBatchObservableCallback (callback: never, instruments: never): void
}

export interface InstrumentOptions {
  readonly description: string
  readonly unit?: string
}

export interface ObserveOptions {
  /** Begins the name of each instrument. @defaultValue 'ws_relay_' */
  readonly prefix?: string
}

interface Result {
  observe (instrument: object, value: number, labels: object): void
}

type AddCallback = (
  callback: (result: Result) => void, instruments: readonly object[]
) => void

/**
 * Makes observable instruments for the numbers of a process system, with the names of the metrics
 * for Prometheus: docs/metrics.md. OpenTelemetry has no histogram that can be observed, so that
 * of turns is three counters, with the names that Prometheus gives to the parts of a histogram.
 *
 * ```ts
 * import { metrics } from '@opentelemetry/api'
 * import { observe } from 'fastify-ws-relay/metrics'
 *
 * observe(app.processes, metrics.getMeter('my-app'))
 * ```
 *
 * @throws `FST_WS_RELAY_INVALID_OPTIONS` if the meter is none, or if an option is not valid
 */
export function observe (
  processes: MeasuredProcesses, meter: OpenTelemetryMeter, options: ObserveOptions = {}
): void {
  checkSource(processes)
  checkMeter(meter)
  const prefix = checkPrefix(options.prefix)
  const instruments = metrics.map(({ name, type, help: description }) => {
    return type === 'gauge'
      ? meter.createObservableGauge(prefix + name, { description })
      : meter.createObservableCounter(prefix + name, { description })
  })
  const name = prefix + turnMetric.name
  const counter = (part: string, unit?: string): object => {
    const description = turnMetric.help
    return meter.createObservableCounter(`${name}_${part}`, { description, unit })
  }
  const bucket = counter('bucket')
  const sum = counter('sum', 's')
  const count = counter('count')
  const report = (result: Result): void => {
    const { stats, cluster, isReady } = takeSnapshot(processes)
    for (const [i, metric] of metrics.entries()) {
      for (const { labels, value } of metric.samples(stats, cluster, isReady)) {
        result.observe(instruments[i], value, labels)
      }
    }
    const { turns } = stats
    for (const each of turns.buckets) {
      result.observe(bucket, each.count, { le: String(each.upTo / 1000) })
    }
    result.observe(bucket, turns.count, { le: '+Inf' })
    result.observe(sum, turns.total / 1000, {})
    result.observe(count, turns.count, {})
  }
  const addCallback = meter.addBatchObservableCallback.bind(meter) as unknown as AddCallback
  addCallback(report, [...instruments, bucket, sum, count])
}

function checkMeter (meter: unknown): asserts meter is OpenTelemetryMeter {
  const given = meter as Partial<OpenTelemetryMeter> | undefined
  const names = [
    'createObservableGauge', 'createObservableCounter', 'addBatchObservableCallback'
  ] as const
  for (const name of names) {
    if (isFunction(given?.[name])) continue
    throw invalid(`expected a Meter of OpenTelemetry as the second argument: it has no '${name}'`)
  }
}
