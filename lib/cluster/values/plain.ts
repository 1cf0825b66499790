/**
 * Structured payloads between nodes: MessagePack, with {@link extraKinds} values behind the one token that MessagePack never
 * uses. What is written is read again as the same value, or is not written at all.
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */

/** Levels of arrays, objects, maps and sets: deeper ones are an attack on the stack. */
export const maxDepth = 64

/** Bytes of the longest value: a frame is not longer, so more than this is not worth writing. */
export const maxValueBytes = 32 * 1024 * 1024

/** Tokens of MessagePack, as far as they are used. Numbers are the protocol. */
export const tokens = {
  /** The lowest of sixteen or 32: the count, length or value is in the token. */
  fixMap: 0x80,
  fixArray: 0x90,
  fixText: 0xa0,
  negative: 0xe0,
  null: 0xc0,
  /** The kind of an extra value follows. */
  extra: 0xc1,
  false: 0xc2,
  true: 0xc3,
  bytes32: 0xc6,
  float64: 0xcb,
  uint16: 0xcd,
  int32: 0xd2,
  int64: 0xd3,
  text16: 0xda,
  text32: 0xdb,
  array32: 0xdd,
  map32: 0xdf
} as const

/** What MessagePack has no word for. Numbers are the protocol. */
export const extraKinds = {
  undefined: 0,
  /** Eight bytes: milliseconds as a float, NaN for an invalid date. */
  date: 1,
  /** Text in hexadecimal digits. */
  bigint: 2,
  /** A string with lone surrogates: UTF-16 in bytes. */
  utf16: 3,
  /** The number of its class in {@link views}, and its bytes. */
  view: 4,
  map: 5,
  set: 6,
  /** An object without a prototype. */
  nullPrototype: 7
} as const

/** Classes of bytes beside Buffer. Their places are the protocol. Bytes are little-endian, as on all platforms of Node. */
export const views = [
  Uint8Array, Uint8ClampedArray, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array, Float64Array,
  BigUint64Array, BigInt64Array, DataView, ArrayBuffer
] as const
