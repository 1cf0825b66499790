// The hook for traces of messages. A tracer that is not installed costs the test of one slot.
import type { Pid } from '../../types/pid.js'

/** A process, as far as its spans show it. */
export interface SpannedProcess {
  readonly pid: Pid
  readonly label: string
}

/** A message that a process takes. */
export interface SpannedMail {
  readonly topic: string
  readonly payload: unknown
  readonly from: Pid | undefined
  readonly call: { readonly traceparent?: string | undefined } | undefined
  fail: (error: unknown) => void
}

/** The handlers of a process. */
export interface SpannedService<M> {
  handleMail (mail: M): unknown
}

/** Makes spans of the messages of one process system. No method throws by itself. */
export interface MessageSpans {
  /** Called when a process takes a message out of its mailbox. */
  mailTaken (process: SpannedProcess, mail: SpannedMail): void
  /** Called when a process asks for a message and there is none. */
  mailAwaited (process: SpannedProcess): void
  /** Calls the handler of a message that was taken. @returns its result. @throws its error */
  handle<M extends SpannedMail> (
    process: SpannedProcess, mail: M, service: SpannedService<M>
  ): unknown
  /**
   * The context of the caller, in the format of the header `traceparent` (W3C Trace Context), with
   * a space and the `tracestate` after it if there is one. No line break.
   */
  traceparent (caller: Pid | undefined): string | undefined
  /** The context of the upgrade of a connection of this node, in the same format. */
  upgradeTraceparent (connection: Pid): string | undefined
  /**
   * Tells the context of the upgrade of a connection of another node.
   * @param metadata the object that all payloads of this connection share. Another value, which
   * only a broken node sends, is ignored, and so is a context that cannot be read
   */
  remoteUpgrade (metadata: unknown, traceparent: string): void
}

/** The slot of a process system. */
export interface SpansSlot {
  spans: MessageSpans | undefined
}

/**
 * The name of the function of `processes` that installs spans, or removes them. A registered
 * symbol: the module that makes spans loads no other room.
 */
export const installSpans = Symbol.for('fastify-ws-relay.installSpans')

/** @returns false if there are spans already */
export type InstallSpans = (spans: MessageSpans | undefined) => boolean

/** Gives a facade of a process system the hidden function {@link installSpans}. */
export function withSpans<F extends object> (slot: SpansSlot, facade: F): F {
  const value: InstallSpans = (spans) => {
    if (spans !== undefined && slot.spans !== undefined) return false
    slot.spans = spans
    return true
  }
  return Object.defineProperty(facade, installSpans, { value })
}
