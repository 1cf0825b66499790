import { ROOT_CONTEXT, SpanKind, SpanStatusCode, context, trace } from '@opentelemetry/api'
import { formatTraceparent, parseTraceparent } from './traceparent.js'
import type { Attributes, Span, SpanContext, SpanOptions, Tracer } from '@opentelemetry/api'
import type {
  MessageSpans, SpannedMail, SpannedProcess, SpannedService
} from '../shared/message-spans.js'
import type { Pid } from '../../types/pid.js'

/** Attributes of each span. None has data or metadata of a client. */
function attributesOf ({ pid, label }: SpannedProcess, { topic, from }: SpannedMail): Attributes {
  return {
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.system': 'fastify-ws-relay',
    ...label !== '' && { 'messaging.destination.name': label },
    'ws_relay.pid': pid,
    'ws_relay.topic': topic,
    ...from !== undefined && { 'ws_relay.from': from }
  }
}

/** The payload of a message of a client. */
interface ClientPayload {
  readonly client_pid: Pid
  readonly type: string
  readonly metadata: object
}

/** Whether a message comes from a client. Only connections send payloads with their own PID. */
function isOfClient (
  mail: SpannedMail
): mail is SpannedMail & { readonly payload: ClientPayload, readonly from: Pid } {
  const { payload, from } = mail
  if (from === undefined || typeof payload !== 'object' || payload === null) return false
  const { client_pid: client, type } = payload as Partial<ClientPayload>
  return client === from && type !== undefined
}

function nodeOf (pid: Pid): string {
  return pid.slice(pid.indexOf('@') + 1)
}

/** Whether a thrown value only says that the process stops. */
function isStop (thrown: unknown): boolean {
  const { code, name } = (thrown ?? {}) as { code?: unknown, name?: unknown }
  return code === 'FST_PROCESS_STOPPED' || name === 'AbortError'
}

function isThenable (value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function'
}

function recordFailure (span: Span, thrown: unknown): void {
  const error = thrown instanceof Error ? thrown : String(thrown)
  span.recordException(error)
  span.setStatus({
    code: SpanStatusCode.ERROR, message: typeof error === 'string' ? error : error.message
  })
}

/**
 * One span for each message of a client, and for each call with a trace context.
 *
 * The span of a handler is active while the handler runs, and ends with it. Code that reads its
 * inbox by itself goes on in its own context. Its span is not active, and ends when it asks for the
 * next message.
 */
export class ProcessSpans implements MessageSpans {
  readonly #tracer: Tracer
  /** The contexts of upgrades, by the connections that they became. */
  readonly #upgrades = new Map<Pid, SpanContext>()
  /** Those of connections of other nodes, by the metadata of their messages. */
  readonly #remoteUpgrades = new WeakMap<object, SpanContext>()
  /** The span of the message that a process took last, unless a handler has it. */
  readonly #open = new Map<Pid, Span>()

  constructor (tracer: Tracer) {
    this.#tracer = tracer
  }

  upgradeAccepted (connection: Pid): void {
    const upgrade = trace.getActiveSpan()?.spanContext()
    if (upgrade !== undefined) this.#upgrades.set(connection, upgrade)
  }

  connectionClosed (connection: Pid): void {
    this.#upgrades.delete(connection)
  }

  processEnded (pid: Pid, error: unknown): void {
    const span = this.#open.get(pid)
    if (span === undefined) return
    if (error !== undefined) recordFailure(span, error)
    this.#end(pid)
  }

  endAll (): void {
    for (const pid of [...this.#open.keys()]) this.#end(pid)
    this.#upgrades.clear()
  }

  mailTaken (process: SpannedProcess, mail: SpannedMail): void {
    this.#end(process.pid)
    const span = this.#start(process, mail)
    if (span !== undefined) this.#open.set(process.pid, span)
  }

  mailAwaited ({ pid }: SpannedProcess): void {
    this.#end(pid)
  }

  handle<M extends SpannedMail> (
    { pid }: SpannedProcess, mail: M, service: SpannedService<M>
  ): unknown {
    const span = this.#open.get(pid)
    if (span === undefined) return service.handleMail(mail)
    // The handler may take further messages, with spans of their own.
    this.#open.delete(pid)
    const failed = (thrown: unknown): void => {
      if (!isStop(thrown)) recordFailure(span, thrown)
      span.end()
    }
    try {
      const active = trace.setSpan(context.active(), span)
      const result = context.with(active, service.handleMail, service, mail)
      if (!isThenable(result)) {
        span.end()
        return result
      }
      const promise = Promise.resolve(result)
      promise.then(() => { span.end() }, failed)
      return promise
    } catch (err) {
      failed(err)
      throw err
    }
  }

  traceparent (caller: Pid | undefined): string | undefined {
    const open = caller === undefined ? undefined : this.#open.get(caller)
    return formatTraceparent((open ?? trace.getActiveSpan())?.spanContext())
  }

  upgradeTraceparent (connection: Pid): string | undefined {
    return formatTraceparent(this.#upgrades.get(connection))
  }

  remoteUpgrade (metadata: unknown, traceparent: string): void {
    const upgrade = parseTraceparent(traceparent, true)
    if (upgrade === undefined || typeof metadata !== 'object' || metadata === null) return
    this.#remoteUpgrades.set(metadata, upgrade)
  }

  #start (process: SpannedProcess, mail: SpannedMail): Span | undefined {
    if (isOfClient(mail)) {
      const { from, payload } = mail
      const upgrade = this.#upgrades.get(from) ?? this.#remoteUpgrades.get(payload.metadata)
      return this.#startSpan(process, mail, {
        kind: SpanKind.CONSUMER, root: true, ...upgrade && { links: [{ context: upgrade }] }
      })
    }
    const traceparent = mail.call?.traceparent
    if (traceparent === undefined) return undefined
    const isRemote = mail.from !== undefined && nodeOf(mail.from) !== nodeOf(process.pid)
    const caller = parseTraceparent(traceparent, isRemote)
    if (caller === undefined) return undefined
    const kind = isRemote ? SpanKind.SERVER : SpanKind.INTERNAL
    return this.#startSpan(process, mail, { kind }, caller)
  }

  /** @param parent undefined: it begins a trace */
  #startSpan (
    process: SpannedProcess, mail: SpannedMail, options: SpanOptions, parent?: SpanContext
  ): Span {
    const name = process.label === '' ? 'process' : `process ${process.label}`
    const within = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent)
    const attributes = attributesOf(process, mail)
    const span = this.#tracer.startSpan(name, { ...options, attributes }, within)
    const { fail } = mail
    if (mail.call !== undefined) {
      mail.fail = (error) => {
        recordFailure(span, error)
        fail(error)
      }
    }
    return span
  }

  #end (pid: Pid): void {
    this.#open.get(pid)?.end()
    this.#open.delete(pid)
  }
}
