// The JSON of calls, which is the same in both directions: `{"topic","data","id"}`, and the answer
// `{"re","data"}` or `{"re","error"}`.
import { jsonOf } from '../commands.js'
import { isPlain } from '../config.js'

/** The codes of this package in an answer to a client. */
const messages = {
  INVALID_MESSAGE: 'the message is invalid',
  UNKNOWN_TOPIC: 'the protocol has no such topic',
  TOO_MANY_CALLS: 'too many calls wait for their answers',
  TARGET_EXITED: 'the target has ended',
  CALL_FAILED: 'the call failed'
} as const

export type WireCode = keyof typeof messages

/** An error as the other end sends it. */
export interface WireError {
  readonly code: string
  readonly message: string
}

/** Whether it can number a call: an integer from 0 to 2^53 - 1. */
export function isCallId (id: unknown): id is number {
  return Number.isSafeInteger(id) && (id as number) >= 0
}

/** @returns undefined if the payload cannot be written as JSON @throws what its methods throw */
export function callText (topic: string, payload: unknown, id: number): string | undefined {
  const json = jsonOf(payload)
  return json && `{"topic":${JSON.stringify(topic)},"data":${json},"id":${id}}`
}

/** @returns undefined if the value cannot be written as JSON @throws what its methods throw */
export function replyText (id: number, value: unknown): string | undefined {
  const json = jsonOf(value)
  return json && `{"re":${id},"data":${json}}`
}

/** @param path where the message is invalid */
export function errorText (id: number, code: WireCode, path?: string): string {
  const error = { code, message: messages[code], ...path !== undefined && { path } }
  return JSON.stringify({ re: id, error })
}

/**
 * The answer with an error that is meant for clients: a plain object with a code and a message.
 * @returns undefined for any other value: errors name PIDs, statements and paths
 * @throws what its methods throw
 */
export function failureText (id: number, error: unknown): string | undefined {
  const json = isPlain(error) && isWireError(error) ? jsonOf(error) : undefined
  return json && `{"re":${id},"error":${json}}`
}

export function isWireError (value: unknown): value is WireError {
  if (typeof value !== 'object' || value === null) return false
  const { code, message } = value as Partial<WireError>
  return typeof code === 'string' && typeof message === 'string'
}
