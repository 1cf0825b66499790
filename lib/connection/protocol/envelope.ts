import { stripPrototypeKeys } from './prototype-keys.js'

/** A message of a client with a protocol, as far as it has these fields. Untrusted. */
export interface Envelope {
  readonly topic?: unknown
  readonly data?: unknown
  /** Of a call. */
  readonly id?: unknown
  /** Of an answer: the `id` of the call. */
  readonly re?: unknown
  readonly error?: unknown
}

const none: Envelope = Object.freeze({})

/**
 * Reads a text of a client. Keys that would set a prototype are removed.
 * @returns undefined if it is not JSON; without any field if it is JSON of another form
 */
export function readEnvelope (text: string): Envelope | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return none
  stripPrototypeKeys(value, text)
  return value
}
