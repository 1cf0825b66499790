import { Packr, Unpackr } from 'msgpackr'
import { isPlain } from './plain.js'
import { errorCodes } from '../errors.js'

/** How a payload travels: text and bytes untouched, everything else as MessagePack. */
export const payloadKinds = { none: 0, bytes: 1, text: 2, structured: 3 } as const

/** A payload as it travels. */
export interface Encoded {
  readonly kind: number
  readonly body: Uint8Array
}

/** An error as it travels: no stack, for paths of one machine mean nothing on another. */
export interface ErrorData {
  readonly name: string
  readonly message: string
  readonly code?: string
}

const nothing = new Uint8Array(0)
const none: Encoded = { kind: payloadKinds.none, body: nothing }

function refuseFunction (): never {
  throw new TypeError('A function is no data')
}

// No records: each body stands alone. No structured clone: nothing but plain data comes out.
const packr = new Packr({ useRecords: false, writeFunction: refuseFunction } as object)
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true } as object)

/**
 * A payload as it travels: undefined as nothing, a string as text, a Uint8Array as bytes, all else as MessagePack.
 * @returns undefined when it is no plain data (functions, symbols, cycles), or too deep to be taken on the other side
 */
export function encodePayload (payload: unknown): Encoded | undefined {
  if (payload === undefined) return none
  if (typeof payload === 'string') return { kind: payloadKinds.text, body: Buffer.from(payload) }
  if (payload instanceof Uint8Array) return { kind: payloadKinds.bytes, body: payload }
  try {
    const body = packr.pack(payload)
    return isPlain(body) ? { kind: payloadKinds.structured, body } : undefined
  } catch {
    return undefined
  }
}

/**
 * What {@link encodePayload} made of it, as plain data of its own. Bytes come as a Buffer.
 * @returns a box, for the payload may be undefined; undefined when it is garbage
 */
export function decodePayload (kind: number, body: Buffer): { readonly payload: unknown } | undefined {
  switch (kind) {
    case payloadKinds.none: return body.length === 0 ? { payload: undefined } : undefined
    case payloadKinds.bytes: return { payload: Buffer.from(body) }
    case payloadKinds.text: return { payload: body.toString() }
    case payloadKinds.structured: return decodeStructured(body)
    default: return undefined
  }
}

function decodeStructured (body: Buffer): { readonly payload: unknown } | undefined {
  if (!isPlain(body)) return undefined
  try {
    return { payload: unpackr.unpack(body) }
  } catch {
    return undefined
  }
}

/** An error as plain data. Nothing of it is trusted: a getter may throw. */
export function errorToData (error: unknown): ErrorData {
  try {
    const { name, message, code } = error as { name?: unknown, message?: unknown, code?: unknown }
    return { name: String(name ?? 'Error'), message: String(message ?? error), ...typeof code === 'string' && { code } }
  } catch {
    return { name: 'Error', message: 'an error that cannot be read' }
  }
}

/** An error again: of the class of its code where the code is one of ours. */
export function errorFromData (data: unknown): Error {
  const { name, message, code } = (typeof data === 'object' && data !== null ? data : {}) as { name?: unknown, message?: unknown, code?: unknown }
  const known = typeof code === 'string' && Object.hasOwn(errorCodes, code) ? errorCodes[code as keyof typeof errorCodes] : undefined
  const error = known === undefined ? new Error() : new (known as new () => Error)()
  define(error, 'message', typeof message === 'string' ? message : '')
  if (known === undefined) define(error, 'name', typeof name === 'string' ? name : 'Error')
  if (known === undefined && typeof code === 'string') Object.assign(error, { code })
  // The stack would be that of this decoder.
  define(error, 'stack', `${error.name}: ${error.message}`)
  return error
}

function define (error: Error, key: 'message' | 'name' | 'stack', value: string): void {
  Object.defineProperty(error, key, { value, configurable: true, writable: true })
}
