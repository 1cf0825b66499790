import { recordUnreadJoins } from '../../process/exits/unread-joins.js'
import {
  decodePayload, encodePayload, errorFromPlain, errorToPlain, whyUnsendable
} from './payload.js'
import { Unsendable } from './unsendable.js'
import type { Frame } from '../link/codec.js'
import type { Encoded } from './payload.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** The part of the node that reports a value which cannot be sent. */
interface ExitContext {
  unsendable (problem: Unsendable, about: Readonly<Record<string, unknown>>): Error
}

/** An exit without its reason, as it comes from another node: not validated yet. */
interface ExitRest {
  readonly error?: unknown
  readonly value?: unknown
  readonly tookJoin?: unknown
}

/**
 * Bytes of error and value in an exit: half of the longest frame, so that the exit itself always
 * fits.
 */
const longestRest = 16 * 1024 * 1024

/** Exits whose value was refused: each is logged once, whatever the number of its monitors. */
const refused = new WeakMap<Exit, Error>()

/**
 * Encodes an exit as fields of a frame. A value that cannot be sent or is too long is dropped and
 * logged. The exit then has `FST_CLUSTER_INVALID_PAYLOAD` as its error, unless it has another one.
 * An error that is too long is dropped.
 *
 * @param tookJoin false if the target ended before it took the join of the connection
 */
export function exitFields (
  exit: Exit,
  context: ExitContext,
  tookJoin = true
): Pick<Frame, 'text' | 'kind' | 'body'> {
  const { reason, error, value } = exit
  const always = tookJoin ? undefined : { tookJoin }
  let known = error ? { ...always, error: errorToPlain(error) } : always
  if (value !== undefined) {
    const whole = fitting({ ...known, value })
    if (whole !== undefined) return { text: reason, ...whole }
    const refusal = refusalOf(exit, context)
    if (error === undefined) known = { ...always, error: errorToPlain(refusal) }
  }
  return { text: reason, ...fitting(known) ?? encodePayload(always)! }
}

function refusalOf (exit: Exit, context: ExitContext): Error {
  let error = refused.get(exit)
  if (error !== undefined) return error
  const { pid, value } = exit
  const problem = encodePayload({ value }) === undefined
    ? whyUnsendable({ value })
    : new Unsendable(`more than ${longestRest} bytes`).within('.value')
  error = context.unsendable(problem, { relayPid: pid, what: 'exit' })
  refused.set(exit, error)
  return error
}

function fitting (rest: unknown): Encoded | undefined {
  const encoded = encodePayload(rest)
  return encoded !== undefined && encoded.body.length <= longestRest ? encoded : undefined
}

/** Decodes an exit. @returns undefined if the frame is garbage */
export function exitOf ({ text, kind, body }: Frame, pid: Pid): Exit | undefined {
  const decoded = decodePayload(kind, body as Buffer)
  if (decoded === undefined) return undefined
  const { error, value, tookJoin } = (decoded.payload ?? {}) as ExitRest
  const exit: Exit = {
    pid,
    reason: text,
    ...error !== undefined && { error: errorFromPlain(error) },
    ...value !== undefined && { value }
  }
  if (tookJoin === false) recordUnreadJoins(exit)
  return exit
}
