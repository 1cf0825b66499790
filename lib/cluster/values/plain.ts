/**
 * The encoding of structured payloads between nodes. It is MessagePack, plus {@link extraKinds}
 * after the one token that MessagePack never uses. A value decodes to
 * the same value, or is refused.
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */

/** The most levels of arrays, objects, maps and sets. Deeper values could overflow the stack. */
export const maxDepth = 64

/** Bytes of the longest value: the longest frame has as many. */
export const maxValueBytes = 32 * 1024 * 1024

/** The tokens of MessagePack that are used. Numbers are the protocol. */
export const tokens = {
  /** The lowest of 16 or 32 tokens that contain a count, length or value. */
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

/** Kinds of values that MessagePack does not have. Numbers are the protocol. */
export const extraKinds = {
  undefined: 0,
  /** Eight bytes: milliseconds as a float, NaN for an invalid date. */
  date: 1,
  /** Text in hexadecimal digits. */
  bigint: 2,
  /** A string with lone surrogates: UTF-16 in bytes. */
  utf16: 3,
  /** The index of its class in {@link views}, then its bytes. */
  view: 4,
  map: 5,
  set: 6,
  /** An object without a prototype. */
  nullPrototype: 7
} as const

/**
 * Classes of binary data besides Buffer. Their indices are the protocol. Elements are
 * little-endian, as on all platforms of Node.
 */
export const views = [
  Uint8Array, Uint8ClampedArray, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array,
  Float32Array, Float64Array, BigUint64Array, BigInt64Array, DataView, ArrayBuffer
] as const
