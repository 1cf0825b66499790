// The real SDK of OpenTelemetry, with spans that stay in memory.
import { SpanKind, SpanStatusCode, context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AlwaysOnSampler, BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor
} from '@opentelemetry/sdk-trace-base'
import type { Tracer } from '@opentelemetry/api'
import type { ReadableSpan, Sampler } from '@opentelemetry/sdk-trace-base'
import type { Test } from 'tap'

/** A span, as tests compare it. */
export interface Seen {
  readonly name: string
  readonly kind: string
  readonly topic: unknown
  readonly parent: string | undefined
  readonly links: readonly string[]
  readonly error: string | undefined
}

export class Telemetry {
  readonly tracer: Tracer
  readonly #exporter = new InMemorySpanExporter()

  constructor (t: Test, sampler: Sampler = new AlwaysOnSampler()) {
    const provider = new BasicTracerProvider({
      sampler, spanProcessors: [new SimpleSpanProcessor(this.#exporter)]
    })
    this.tracer = provider.getTracer('test')
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    t.teardown(async () => {
      context.disable()
      await provider.shutdown()
    })
  }

  /** The spans that have ended, in this order. */
  get spans (): ReadableSpan[] {
    return this.#exporter.getFinishedSpans()
  }

  /** The same without identifiers and times: parents and links are names. */
  get seen (): Seen[] {
    const names = new Map(this.spans.map((span) => [span.spanContext().spanId, span.name]))
    const nameOf = (id: string): string => names.get(id) ?? id
    return this.spans.map(({ name, kind, attributes, parentSpanContext, links, status }) => ({
      name,
      kind: SpanKind[kind],
      topic: attributes['ws_relay.topic'],
      parent: parentSpanContext && nameOf(parentSpanContext.spanId),
      links: links.map(({ context }) => nameOf(context.spanId)),
      error: status.code === SpanStatusCode.ERROR ? status.message : undefined
    }))
  }

  /** Runs code in a span of its own. */
  async within<T> (name: string, code: () => T | Promise<T>): Promise<T> {
    const span = this.tracer.startSpan(name)
    try {
      return await context.with(trace.setSpan(context.active(), span), code)
    } finally {
      span.end()
    }
  }
}
