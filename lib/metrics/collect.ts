import { show } from '../errors.js'
import { checkPrefix, checkSource, invalid, isFunction, takeSnapshot } from './source.js'
import { metrics, turnMetric } from './table.js'
import type { MeasuredProcesses, Snapshot } from './source.js'
import type { Metric } from './table.js'

/** A class of `prom-client`. */
type MetricClass = abstract new (...args: never[]) => object

/** The package `prom-client`, or its successor `@prometheus-io/client`. */
export interface PrometheusClient {
  readonly Gauge: MetricClass
  readonly Counter: MetricClass
  readonly Histogram: MetricClass
  /** The registry of the package. */
  readonly register?: object
}

export interface CollectOptions {
  /** Begins the name of each metric. @defaultValue 'ws_relay_' */
  readonly prefix?: string
  /** A `Registry` of the client. @defaultValue the client's own registry */
  readonly registry?: object
  /** Labels that each sample gets. Names of labels that the metrics have cannot be used. */
  readonly labels?: Readonly<Record<string, string>>
}

/** The parts of a registry, a gauge and a counter that are used here. */
interface Registry { getSingleMetric (name: string): object | undefined }
interface Value { reset (): void }
interface Gauge extends Value { set (labels: object, value: number): void }
interface Counter extends Value { inc (labels: object, value: number): void }
interface Config {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
  readonly registers: readonly object[]
  readonly buckets?: readonly number[]
  readonly collect?: () => void
}

/** One number of a histogram, as a registry writes it. */
interface HistogramValue {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

interface Histogram {
  get: () => Promise<object>
  getForPromString: () => Promise<object>
}

const validLabel = /^(?!__)[A-Za-z_][A-Za-z0-9_]*$/
const ownLabels: ReadonlySet<string> = new Set(['le', ...metrics.flatMap(({ labels }) => labels)])

/**
 * Registers the metrics of a process system, in all of its connections and upgrades, for
 * Prometheus. docs/metrics.md has their names. The numbers are read when the registry is, at
 * once and from one call of `stats()`.
 *
 * ```ts
 * import * as client from 'prom-client'
 * import { collect } from 'fastify-ws-relay/metrics'
 *
 * collect(app.processes, client)
 * ```
 *
 * @throws `FST_WS_RELAY_INVALID_OPTIONS` if the client is none, if an option is not valid, or if
 * the registry has one of the metrics already. Then nothing is registered
 */
export function collect (
  processes: MeasuredProcesses, client: PrometheusClient, options: CollectOptions = {}
): void {
  checkSource(processes)
  checkClient(client)
  const prefix = checkPrefix(options.prefix)
  const labels = checkLabels(options.labels)
  const registry = checkRegistry(options.registry ?? client.register)
  for (const { name } of [...metrics, turnMetric]) {
    if (registry.getSingleMetric(prefix + name) === undefined) continue
    const problem = `the registry has '${prefix}${name}' already: collect once, or with a 'prefix'`
    throw invalid(problem)
  }
  const takeShared = snapshots(processes)
  const registers = [registry]
  const labelNames = Object.keys(labels)
  for (const metric of metrics) addMetric(metric)
  addHistogram()

  function addMetric ({ name, type, help, labels: own, samples }: Metric): void {
    const config: Config = {
      name: prefix + name,
      help,
      labelNames: [...own, ...labelNames],
      registers,
      collect () {
        metric.reset()
        const { stats, cluster, isReady } = takeShared()
        for (const sample of samples(stats, cluster, isReady)) {
          const all = { ...labels, ...sample.labels }
          if (type === 'gauge') (metric as Gauge).set(all, sample.value)
          else (metric as Counter).inc(all, sample.value)
        }
      }
    }
    const metric = create<Gauge | Counter>(
      type === 'gauge' ? client.Gauge : client.Counter, config
    )
  }

  /** The clients can only observe single values. So its numbers are given to the registry. */
  function addHistogram (): void {
    const name = prefix + turnMetric.name
    const { help } = turnMetric
    const { turns } = takeShared().stats
    const buckets = turns.buckets.map(({ upTo }) => upTo / 1000)
    const config = { name, help, labelNames, registers, buckets }
    const histogram = create<Histogram>(client.Histogram, config)
    histogram.get = histogram.getForPromString = async () => ({
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: turnValues(name, labels, takeShared())
    })
  }
}

function create<M> (type: MetricClass, config: Config): M {
  return new (type as unknown as new (config: Config) => M)(config)
}

function turnValues (
  name: string, labels: Readonly<Record<string, string>>, { stats: { turns } }: Snapshot
): HistogramValue[] {
  const bucket = (le: string | number, value: number): HistogramValue => {
    return { metricName: `${name}_bucket`, labels: { le, ...labels }, value }
  }
  return [
    ...turns.buckets.map(({ upTo, count }) => bucket(upTo / 1000, count)),
    bucket('+Inf', turns.count),
    { metricName: `${name}_sum`, labels, value: turns.total / 1000 },
    { metricName: `${name}_count`, labels, value: turns.count }
  ]
}

/** All metrics of one scrape share a snapshot: a registry reads them without a pause. */
function snapshots (processes: MeasuredProcesses): () => Snapshot {
  let shared: Snapshot | undefined
  return () => {
    if (shared === undefined) {
      shared = takeSnapshot(processes)
      queueMicrotask(() => { shared = undefined })
    }
    return shared
  }
}

function checkClient (client: unknown): asserts client is PrometheusClient {
  const given = client as Partial<PrometheusClient> | undefined
  for (const name of ['Gauge', 'Counter', 'Histogram'] as const) {
    if (isFunction(given?.[name])) continue
    throw invalid(
      "expected 'prom-client' or '@prometheus-io/client' as the second argument: " +
      `it has no '${name}'`
    )
  }
}

function checkRegistry (registry: unknown): Registry {
  if (isFunction((registry as Registry | undefined)?.getSingleMetric)) return registry as Registry
  throw invalid(`'registry' must be a Registry of the client, got '${show(registry)}'`)
}

function checkLabels (labels: unknown = {}): Readonly<Record<string, string>> {
  if (typeof labels !== 'object' || labels === null) {
    throw invalid(`'labels' must be an object, got '${show(labels)}'`)
  }
  for (const [name, value] of Object.entries(labels)) {
    if (ownLabels.has(name)) throw invalid(`the metrics have a label '${name}' of their own`)
    if (!validLabel.test(name)) throw invalid(`'${show(name)}' is no name of a label`)
    if (typeof value !== 'string') throw invalid(`the label '${name}' must be a string`)
  }
  return { ...labels } as Readonly<Record<string, string>>
}
