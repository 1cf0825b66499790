import { isUint8Array } from 'node:util/types'
import { binaryFrame, maySendCode, textFrame, textFrameFromBytes } from '../websocket/frames.js'
import type { FrameCache } from '../websocket/frames.js'

/** What `ws.close` asks for. */
export interface CloseRequest {
  readonly code: number
  readonly reason: string
  /** The code that may not be sent and became 1011. */
  readonly refusedCode?: unknown
}

/**
 * The frame of a `ws.send` payload, with exactly the bytes of this moment.
 * @returns what is wrong with the payload, where it is malformed
 */
export function frameOfSend (payload: unknown, cache: FrameCache): Buffer | string {
  if (typeof payload !== 'object' || payload === null) return 'expected an object with `data`'
  try {
    const { type, data } = payload as { type?: unknown, data?: unknown }
    if (type !== undefined && type !== 'text' && type !== 'binary') return "`type` must be 'text' or 'binary'"
    if (typeof data === 'string') return type === 'binary' ? binaryFrame(data) : cache.text(data)
    // Not `instanceof`: bytes may come from another realm, as they do under some test runners.
    if (!isUint8Array(data)) return '`data` must be a string, a Buffer or a Uint8Array'
    if (type !== 'text') return binaryFrame(data)
    return textFrameFromBytes(data) ?? '`data` of a text frame must be UTF-8'
  } catch {
    return unreadableProblem
  }
}

/**
 * The frame of any other topic: `{"topic": …, "data": …}`, a Buffer as base64.
 * @returns what is wrong with the payload, where it is not JSON
 */
export function frameOfTopic (topic: string, payload: unknown): Buffer | string {
  try {
    const data = isUint8Array(payload) ? Buffer.from(payload).toString('base64') : payload ?? null
    const json = JSON.stringify(data) as string | undefined
    // A function, a symbol: JSON would leave `data` out.
    if (json === undefined) return notJsonProblem
    return textFrame(`{"topic":${JSON.stringify(topic)},"data":${json}}`)
  } catch {
    return notJsonProblem
  }
}

/** @returns what is wrong with the payload, where it is malformed */
export function parseClose (payload: unknown): CloseRequest | string {
  if (payload === undefined || payload === null) return { code: 1000, reason: '' }
  if (typeof payload === 'string') return { code: 1000, reason: payload }
  if (typeof payload !== 'object' || Array.isArray(payload) || isUint8Array(payload)) return 'expected an object, a reason or nothing'
  try {
    const { code = 1000, reason = '' } = payload as { code?: unknown, reason?: unknown }
    if (typeof reason !== 'string') return '`reason` must be a string'
    return maySendCode(code) ? { code, reason } : { code: 1011, reason, refusedCode: code }
  } catch {
    return unreadableProblem
  }
}

const notJsonProblem = 'it cannot be written as JSON'
// Called on anything, `send` never throws.
const unreadableProblem = 'a getter throws, or the text is too long'
