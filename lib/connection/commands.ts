// Reads the payloads of messages to a connection.
import { isUint8Array } from 'node:util/types'
import { failure, success } from '../shared/result.js'
import { maySendCode } from './close-codes.js'
import type { Result } from '../shared/result.js'
import type { Encoded, Encoder } from './transport.js'

/** The payload of `ws.close`, read. */
export interface CloseRequest {
  readonly code: number
  readonly reason: string
  /** Present if the given code must not be sent, so that 1011 is sent instead. */
  readonly refusedCode?: unknown
}

/**
 * Encodes a message for the client: a `ws.send`, or another topic, which is forwarded. Later
 * changes of the payload do not reach the client.
 *
 * It returns no `Result`: that would be one more object for each message.
 * @returns a string that says why the payload is malformed, otherwise the encoded message
 */
export function encodeMessage (
  topic: string, payload: unknown, encoder: Encoder
): Encoded | string {
  return topic === 'ws.send' ? encodeSend(payload, encoder) : encodeTopic(topic, payload, encoder)
}

/** Whether the `call` of a `ws.send` waits for the client, instead of for the operating system. */
export function asksForAck (payload: unknown): boolean {
  try {
    return (payload as { ack?: unknown } | null | undefined)?.ack === true
  } catch {
    // The payload is refused later.
    return false
  }
}

function encodeSend (payload: unknown, encoder: Encoder): Encoded | string {
  if (typeof payload !== 'object' || payload === null) return 'expected an object with `data`'
  try {
    const { type, data } = payload as { type?: unknown, data?: unknown }
    if (type !== undefined && type !== 'text' && type !== 'binary') {
      return "`type` must be 'text' or 'binary'"
    }
    if (typeof data === 'string') {
      return type === 'binary' ? encoder.encodeBinary(data) : encoder.encodeText(data)
    }
    // Not `instanceof`, because some test runners pass bytes of another realm.
    if (!isUint8Array(data)) return '`data` must be a string, a Buffer or a Uint8Array'
    if (type !== 'text') return encoder.encodeBinary(data)
    return encoder.encodeTextBytes(data) ?? '`data` of a text frame must be UTF-8'
  } catch {
    return unreadableProblem
  }
}

/**
 * Writes a payload for a client: bytes as base64, and undefined as null.
 * @returns undefined for a function or a symbol, which JSON leaves out
 * @throws what its methods throw
 */
export function jsonOf (payload: unknown): string | undefined {
  const data = isUint8Array(payload) ? Buffer.from(payload).toString('base64') : payload ?? null
  return JSON.stringify(data) as string | undefined
}

function encodeTopic (topic: string, payload: unknown, encoder: Encoder): Encoded | string {
  try {
    const json = jsonOf(payload)
    if (json === undefined) return notJsonProblem
    return encoder.encodeTopic(topic, json)
  } catch {
    return notJsonProblem
  }
}

export function parseClose (payload: unknown): Result<CloseRequest> {
  if (payload === undefined || payload === null) return success({ code: 1000, reason: '' })
  if (typeof payload === 'string') return success({ code: 1000, reason: payload })
  if (typeof payload !== 'object' || Array.isArray(payload) || isUint8Array(payload)) {
    return failure('expected an object, a reason or nothing')
  }
  try {
    const { code = 1000, reason = '' } = payload as { code?: unknown, reason?: unknown }
    if (typeof reason !== 'string') return failure('`reason` must be a string')
    if (maySendCode(code)) return success({ code, reason })
    return success({ code: 1011, reason, refusedCode: code })
  } catch {
    return failure(unreadableProblem)
  }
}

export const notJsonProblem = 'it cannot be written as JSON'
// A payload can be anything, but `send` never throws.
const unreadableProblem = 'a getter throws, or the text is too long'
