import { recordUnreadJoins } from '../../process/unread-joins.js'
import { decodePayload, encodePayload, errorFromData, errorToData, whyUnsendable } from '../values/payload.js'
import { Unsendable } from '../values/unsendable.js'
import type { Frame } from './codec.js'
import type { Encoded } from '../values/payload.js'
import type { NodeContext } from '../membership/peer.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** What frames are. Numbers are the protocol: they are never used again for something else. */
export const types = {
  /** A piece of a frame that is too long for the engine; `ref`: bytes still to come. */
  piece: 1,
  send: 10,
  exit: 11,
  cancel: 12,
  /**
   * A send to many receivers: the body begins with their list, of `ref` bytes, and then comes the payload. 0: the
   * receivers are those of the last frame of this type.
   */
  sendMany: 14,
  /**
   * Messages that were refused or lost on their way here. The body has a list of receivers, of `ref` bytes, and a list
   * of how many each of them missed. Empty: any connection of the receiving node may have missed some.
   */
  missed: 15,
  call: 20,
  reply: 21,
  fail: 22,
  reject: 23,
  /** The callee ended. */
  callEnded: 24,
  /** The caller does not wait any more. */
  forget: 25,
  monitor: 30,
  demonitor: 31,
  down: 32,
  link: 40,
  unlink: 41,
  unlinked: 42,
  linkDown: 43,
  bind: 50,
  /** The answer; `text`: the problem. */
  bound: 51,
  /** The metadata of a client, for what follows. */
  metadata: 52,
  /** A message of a client: its bytes or its text. */
  clientMessage: 53,
  /** Any other topic of a client, that is never refused. */
  clientEvent: 54,
  /** The same, refused by a full mailbox. */
  clientNews: 55,
  pause: 56,
  resume: 57,
  ask: 60,
  members: 61,
  broadcast: 70,
  except: 71,
  joined: 72,
  left: 73,
  /** A broadcast that could not be published: the same frame, behind a header with the group and who is left out. */
  relayedBroadcast: 74,
  /** `ref` broadcasts to a group (`text`) were refused or lost on their way here; the body: who was left out. */
  missedBroadcast: 75,
  /** This node is closing: connections are bound to its processes no more. */
  closing: 80
} as const

/** Bytes that an exit may carry beside its reason: half of the longest frame, so that the end itself is always taken. */
const longestRest = 16 * 1024 * 1024

/** Exits whose value was refused: each is logged once, however many watch it. */
const refused = new WeakMap<Exit, Error>()

/**
 * An exit as fields of a frame. A value that cannot cross, or is too long, stays behind. It is logged, and the exit says
 * so with `FST_CLUSTER_INVALID_PAYLOAD` as its error, unless it has another one. An error that is too long stays behind.
 *
 * @param tookJoin false if a target ended before it took the `ws.join` of the connection that is told
 */
export function exitFields (exit: Exit, hub: Pick<NodeContext, 'unsendable'>, tookJoin = true): Pick<Frame, 'text' | 'kind' | 'body'> {
  const { reason, error, value } = exit
  const always = tookJoin ? undefined : { tookJoin }
  let known = error ? { ...always, error: errorToData(error) } : always
  if (value !== undefined) {
    const whole = fitting({ ...known, value })
    if (whole !== undefined) return { text: reason, ...whole }
    const refusal = refusalOf(exit, hub)
    if (error === undefined) known = { ...always, error: errorToData(refusal) }
  }
  return { text: reason, ...fitting(known) ?? encodePayload(always)! }
}

function refusalOf (exit: Exit, hub: Pick<NodeContext, 'unsendable'>): Error {
  let error = refused.get(exit)
  if (error !== undefined) return error
  const { pid, value } = exit
  const problem = encodePayload({ value }) === undefined ? whyUnsendable({ value }) : new Unsendable(`more than ${longestRest} bytes`).within('.value')
  error = hub.unsendable(problem, { relayPid: pid, what: 'exit' })
  refused.set(exit, error)
  return error
}

function fitting (rest: unknown): Encoded | undefined {
  const encoded = encodePayload(rest)
  return encoded !== undefined && encoded.body.length <= longestRest ? encoded : undefined
}

/** @returns undefined when it is garbage */
export function exitOf ({ text, kind, body }: Frame, pid: Pid): Exit | undefined {
  const decoded = decodePayload(kind, body as Buffer)
  if (decoded === undefined) return undefined
  const { error, value, tookJoin } = (decoded.payload ?? {}) as { error?: unknown, value?: unknown, tookJoin?: unknown }
  const exit: Exit = { pid, reason: text, ...error !== undefined && { error: errorFromData(error) }, ...value !== undefined && { value } }
  if (tookJoin === false) recordUnreadJoins(exit)
  return exit
}
