/**
 * Metrics for Prometheus and OpenTelemetry, made of `processes.stats()`. No other module of the
 * package uses this one, and it needs no package: the client or the meter is an argument.
 */
export { collect } from './collect.js'
export { observe } from './observe.js'
export { errorCodes } from '../errors.js'
export type { CollectOptions, PrometheusClient } from './collect.js'
export type { InstrumentOptions, ObserveOptions, OpenTelemetryMeter } from './observe.js'
export type { MeasuredProcesses } from './source.js'
