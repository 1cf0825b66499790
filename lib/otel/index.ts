/**
 * Traces of messages for OpenTelemetry. No other module of the package uses this one. It needs the
 * package `@opentelemetry/api`; the SDK is the application's.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { trace } from '@opentelemetry/api'
import { errorCodes, show } from '../errors.js'
import { installSpans } from '../shared/message-spans.js'
import { ProcessSpans } from './process-spans.js'
import type { Tracer } from '@opentelemetry/api'
import type { InstallSpans } from '../shared/message-spans.js'
import type { ConnectionEvent, ProcessEvent, UpgradeEvent } from '../../types/events.js'
import type { Processes } from '../../types/processes.js'

export { errorCodes } from '../errors.js'

/** A process system, as spans need it: `app.processes`, or that of `createProcesses`. */
export type TracedProcesses = Pick<Processes, 'node'>

/**
 * Makes a span for each message of a client, with a link to the span of its upgrade, and for each
 * `call` of code that has a span: docs/tracing.md.
 *
 * ```ts
 * import { trace } from '@opentelemetry/api'
 * import { instrument } from 'fastify-ws-relay/otel'
 *
 * const stop = instrument(app.processes, trace.getTracer('my-app'))
 * ```
 *
 * @param tracer by default that of the global provider for `fastify-ws-relay`
 * @returns a function that stops it. Open spans end with their handlers, those of loops at once
 * @throws `FST_WS_RELAY_INVALID_OPTIONS` if an argument is not valid, or if these processes are
 * instrumented already
 */
export function instrument (
  processes: TracedProcesses, tracer: Tracer = trace.getTracer('fastify-ws-relay')
): () => void {
  const install = (processes as { [installSpans]?: InstallSpans } | undefined)?.[installSpans]
  if (typeof install !== 'function') {
    throw invalid(`expected 'app.processes' as the first argument, got '${show(processes)}'`)
  }
  if (typeof (tracer as Partial<Tracer> | null)?.startSpan !== 'function') {
    throw invalid('expected a Tracer of OpenTelemetry as the second argument')
  }
  const spans = new ProcessSpans(tracer)
  if (!install(spans)) throw invalid('these processes are instrumented already')
  const stopListening = follow(spans, processes.node)
  return () => {
    stopListening()
    install(undefined)
    spans.endAll()
  }
}

/** Tells the spans which connections and processes come and go. */
function follow (spans: ProcessSpans, node: string): () => void {
  const onUpgrade = (message: unknown): void => {
    const event = message as UpgradeEvent
    if (event.type === 'accepted' && event.node === node) spans.upgradeAccepted(event.pid)
  }
  const onConnection = (message: unknown): void => {
    const event = message as ConnectionEvent
    if (event.type === 'close') spans.connectionClosed(event.pid)
  }
  const onProcess = (message: unknown): void => {
    const event = message as ProcessEvent
    if (event.type === 'exit') spans.processEnded(event.pid, event.error)
  }
  const listeners = [
    ['fastify-ws-relay:upgrade', onUpgrade],
    ['fastify-ws-relay:connection', onConnection],
    ['fastify-ws-relay:process', onProcess]
  ] as const
  for (const [channel, listener] of listeners) subscribe(channel, listener)
  return () => {
    for (const [channel, listener] of listeners) unsubscribe(channel, listener)
  }
}

function invalid (problem: string): Error {
  return new errorCodes.FST_WS_RELAY_INVALID_OPTIONS(problem)
}
