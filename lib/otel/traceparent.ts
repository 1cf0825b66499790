// The trace context of a call as text: W3C Trace Context, https://www.w3.org/TR/trace-context/.
import { createTraceState, isSpanContextValid, TraceFlags } from '@opentelemetry/api'
import type { SpanContext } from '@opentelemetry/api'

/** A longer `tracestate` is left out, as the specification allows. */
const maxStateLength = 512

const format = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?: (.+))?$/

/** @returns undefined for the context of no span */
export function formatTraceparent (context: SpanContext | undefined): string | undefined {
  if (context === undefined || !isSpanContextValid(context)) return undefined
  const { traceId, spanId, traceFlags, traceState } = context
  const flags = (traceFlags & TraceFlags.SAMPLED).toString(16).padStart(2, '0')
  const parent = `00-${traceId}-${spanId}-${flags}`
  const state = traceState?.serialize() ?? ''
  return state === '' || state.length > maxStateLength ? parent : `${parent} ${state}`
}

/** @returns undefined if the text of another node is none */
export function parseTraceparent (text: string, isRemote: boolean): SpanContext | undefined {
  const [, traceId, spanId, flags, state] = format.exec(text) ?? []
  if (traceId === undefined) return undefined
  const context: SpanContext = {
    traceId,
    spanId,
    traceFlags: parseInt(flags, 16) & TraceFlags.SAMPLED,
    isRemote,
    ...state !== undefined && { traceState: createTraceState(state) }
  }
  return isSpanContextValid(context) ? context : undefined
}
