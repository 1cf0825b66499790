import { errorCodes } from '../../errors.js'
import { readPlain } from './plain-reader.js'
import { isWellFormed, writePlain } from './plain-writer.js'
import { Unsendable } from './unsendable.js'

/** How a payload is encoded: text and Buffers as they are, everything else as in `plain.ts`. */
export const payloadKinds = { none: 0, bytes: 1, text: 2, structured: 3 } as const

/** An encoded payload. */
export interface Encoded {
  readonly kind: number
  readonly body: Uint8Array
}

/** An error as plain data. It has no stack: paths of one machine mean nothing on another. */
export interface ErrorData {
  readonly name: string
  readonly message: string
  readonly code?: string
  /** Its cause: an error, or a value that can be sent. Any other cause is dropped. */
  readonly cause?: { readonly error: ErrorData } | { readonly value: unknown }
}

/** At most this many nested causes are encoded. */
const mostCauses = 8

const nothing = new Uint8Array(0)
const none: Encoded = { kind: payloadKinds.none, body: nothing }

/**
 * Encodes a payload. Called for each message, so a refusal is undefined and not a `Result`.
 * @returns undefined if a part of it cannot be decoded to the same value; see {@link whyUnsendable}
 */
export function encodePayload (payload: unknown): Encoded | undefined {
  if (payload === undefined) return none
  if (typeof payload === 'string' && isWellFormed(payload)) {
    return { kind: payloadKinds.text, body: Buffer.from(payload) }
  }
  if (Buffer.isBuffer(payload)) return { kind: payloadKinds.bytes, body: payload }
  try {
    return { kind: payloadKinds.structured, body: writePlain(payload) }
  } catch {
    return undefined
  }
}

/** Finds out why {@link encodePayload} has refused a payload, by encoding it once more. */
export function whyUnsendable (payload: unknown): Unsendable {
  try {
    writePlain(payload)
    return new Unsendable('a value that changes while it is read')
  } catch (thrown) {
    return thrown as Unsendable
  }
}

/**
 * Decodes a payload. The value shares no memory with the body.
 * @returns undefined if the body is garbage; a wrapper object, because the payload may be undefined
 */
export function decodePayload (
  kind: number,
  body: Buffer
): { readonly payload: unknown } | undefined {
  switch (kind) {
    case payloadKinds.none: return body.length === 0 ? { payload: undefined } : undefined
    case payloadKinds.bytes: return { payload: Buffer.from(body) }
    case payloadKinds.text: return { payload: body.toString() }
    case payloadKinds.structured: {
      const read = readPlain(body)
      return read && { payload: read.value }
    }
    default: return undefined
  }
}

/** Converts an error to plain data. Its properties may be getters that throw. */
export function errorToPlain (error: unknown, causes = mostCauses): ErrorData {
  try {
    const { name, message, code, cause } = error as Partial<Record<keyof ErrorData, unknown>>
    return {
      name: String(name ?? 'Error'),
      message: String(message ?? error),
      ...typeof code === 'string' && { code },
      ...causeToData(cause, causes)
    }
  } catch {
    return { name: 'Error', message: 'an error that cannot be read' }
  }
}

function causeToData (cause: unknown, causes: number): Pick<ErrorData, 'cause'> | undefined {
  if (cause === undefined || causes === 0) return undefined
  if (cause instanceof Error) return { cause: { error: errorToPlain(cause, causes - 1) } }
  return encodePayload(cause) === undefined ? undefined : { cause: { value: cause } }
}

const natives: ReadonlyMap<unknown, ErrorConstructor> = new Map(
  [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]
    .map((native) => [native.name, native])
)

/** Makes an error of plain data: of the class of its code, of a class of JavaScript, or `Error`. */
export function errorFromPlain (data: unknown): Error {
  const { name, message, code, cause } = fieldsOf(data)
  const error = ofCode(code) ?? new (natives.get(name) ?? Error)()
  define(error, 'message', typeof message === 'string' ? message : '')
  if (error.name !== name && ofCode(code) === undefined) {
    define(error, 'name', typeof name === 'string' ? name : 'Error')
  }
  if (typeof code === 'string' && !('code' in error)) Object.assign(error, { code })
  const { error: inner, value } = fieldsOf(cause)
  if (inner !== undefined || value !== undefined) {
    define(error, 'cause', inner === undefined ? value : errorFromPlain(inner))
  }
  // Otherwise the stack would show this decoder.
  define(error, 'stack', `${error.name}: ${error.message}`)
  return error
}

function fieldsOf (data: unknown): Readonly<Record<string, unknown>> {
  return typeof data === 'object' && data !== null ? data as Record<string, unknown> : {}
}

function ofCode (code: unknown): Error | undefined {
  if (typeof code !== 'string' || !Object.hasOwn(errorCodes, code)) return undefined
  return new (errorCodes[code as keyof typeof errorCodes] as new () => Error)()
}

function define (error: Error, key: 'message' | 'name' | 'stack' | 'cause', value: unknown): void {
  Object.defineProperty(error, key, { value, configurable: true, writable: true })
}
