import { maxDepth, extraKinds, tokens, views } from './plain.js'

/** Thrown inside a reader when the bytes are malformed. */
const garbage = new Error('garbage')
/** Keys up to this length are cached. */
const longestKnown = 24
/** A cache of object keys. The slot of a key depends on its length, first and last byte. */
const knownKeys = Array<string>(256).fill('')
const hexadecimal = /^-?[0-9a-f]+$/

/**
 * Decodes the bytes of `writePlain`. The value shares no memory with the bytes. Memory is allocated
 * only for data that is there, whatever length the bytes announce.
 * @returns undefined if the bytes are garbage; a wrapper object, because the value may be undefined
 */
export function readPlain (bytes: Buffer): { readonly value: unknown } | undefined {
  try {
    const reader = new PlainReader(bytes)
    const value = reader.value(maxDepth)
    return reader.done ? { value } : undefined
  } catch {
    return undefined
  }
}

type ViewConstructor = new (buffer: ArrayBuffer) => ArrayBufferView

/** Defines a property named `__proto__`: an assignment would set the prototype. */
function defineProto (object: object, value: unknown): void {
  Object.defineProperty(object, '__proto__', {
    value, configurable: true, enumerable: true, writable: true
  })
}

class PlainReader {
  readonly #bytes: Buffer
  #at = 0

  constructor (bytes: Buffer) {
    this.#bytes = bytes
  }

  get done (): boolean {
    return this.#at === this.#bytes.length
  }

  /** Reads one value. @param depth how many levels may still follow */
  value (depth: number): unknown {
    const token = this.#byte()
    if (token < 0x80) return token
    if (token >= tokens.negative) return token - 0x100
    if (token >= tokens.fixText && token < tokens.null) return this.#text(token & 0x1f)
    if (token < tokens.fixArray) return this.#properties(token & 0x0f, depth, {})
    if (token < tokens.fixText) return this.#array(token & 0x0f, depth)
    switch (token) {
      case tokens.null: return null
      case tokens.false: return false
      case tokens.true: return true
      case tokens.float64: return this.#bytes.readDoubleBE(this.#advance(8))
      case tokens.uint16: return this.#bytes.readUInt16BE(this.#advance(2))
      case tokens.int32: return this.#bytes.readInt32BE(this.#advance(4))
      case tokens.text16: return this.#text(this.#bytes.readUInt16BE(this.#advance(2)))
      case tokens.text32: return this.#text(this.#count())
      case tokens.map32: return this.#properties(this.#count(), depth, {})
      case tokens.array32: return this.#array(this.#count(), depth)
      case tokens.extra: return this.#extra(depth)
      case tokens.int64: return this.#bytes.readBigInt64BE(this.#advance(8))
      case tokens.bytes32: return Buffer.from(this.#slice(this.#count()))
      default: throw garbage
    }
  }

  #byte (): number {
    return this.#bytes[this.#advance(1)]
  }

  /** Skips bytes, and throws if there are too few. @returns the offset of the first one */
  #advance (size: number): number {
    const at = this.#at
    this.#at += size
    if (this.#at > this.#bytes.length) throw garbage
    return at
  }

  #count (): number {
    return this.#bytes.readUInt32BE(this.#advance(4))
  }

  #slice (size: number): Buffer {
    const at = this.#advance(size)
    return this.#bytes.subarray(at, at + size)
  }

  #text (size: number): string {
    const at = this.#advance(size)
    return this.#bytes.toString('utf8', at, at + size)
  }

  /** Reads a key. A cached string is faster than a new one, and most keys repeat. */
  #key (): string {
    const at = this.#at + 1
    const size = this.#bytes[this.#at] - tokens.fixText
    if (size > 0 && size <= longestKnown && at + size <= this.#bytes.length) {
      const slot = (31 * size + 7 * this.#bytes[at] + this.#bytes[at + size - 1]) % knownKeys.length
      this.#at++
      if (!this.#matches(knownKeys[slot], at, size)) return (knownKeys[slot] = this.#text(size))
      this.#at += size
      return knownKeys[slot]
    }
    const key = this.value(0)
    if (typeof key !== 'string') throw garbage
    return key
  }

  /** Whether the bytes at an offset are this ASCII text. */
  #matches (text: string, at: number, size: number): boolean {
    if (text.length !== size) return false
    for (let i = 0; i < size; i++) if (text.charCodeAt(i) !== this.#bytes[at + i]) return false
    return true
  }

  /** Each element takes at least one byte, so a false count fails at the end of the bytes. */
  #array (count: number, depth: number): unknown[] {
    const inside = oneLevelDeeper(depth)
    const array: unknown[] = []
    for (let i = 0; i < count; i++) array.push(this.value(inside))
    return array
  }

  #properties (count: number, depth: number, object: Record<string, unknown>): object {
    const inside = oneLevelDeeper(depth)
    for (let i = 0; i < count; i++) {
      const key = this.#key()
      const value = this.value(inside)
      if (key === '__proto__') defineProto(object, value)
      else object[key] = value
    }
    return object
  }

  #extra (depth: number): unknown {
    switch (this.#byte()) {
      case extraKinds.undefined: return undefined
      case extraKinds.date: return new Date(this.#bytes.readDoubleBE(this.#advance(8)))
      case extraKinds.bigint: return this.#bigint(this.#slice(this.#count()).toString('latin1'))
      case extraKinds.utf16: return this.#slice(this.#count()).toString('utf16le')
      case extraKinds.view: return this.#view(this.#slice(this.#count()))
      case extraKinds.map: return this.#map(oneLevelDeeper(depth))
      case extraKinds.set: return this.#set(oneLevelDeeper(depth))
      case extraKinds.nullPrototype: return this.#nullPrototype(depth)
      default: throw garbage
    }
  }

  #bigint (digits: string): bigint {
    if (!hexadecimal.test(digits)) throw garbage
    return digits.startsWith('-') ? -BigInt(`0x${digits.slice(1)}`) : BigInt(`0x${digits}`)
  }

  #view (bytes: Buffer): ArrayBufferView | ArrayBuffer {
    const View = views[bytes[0]] as ViewConstructor | ArrayBufferConstructor | undefined
    if (View === undefined) throw garbage
    // A copy, because the elements of a typed array must be aligned.
    const { buffer } = new Uint8Array(bytes.subarray(1))
    return View === ArrayBuffer ? buffer : new (View as ViewConstructor)(buffer)
  }

  #map (inside: number): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>()
    for (let i = this.#count(); i > 0; i--) {
      const key = this.value(inside)
      map.set(key, this.value(inside))
    }
    return map
  }

  #set (inside: number): Set<unknown> {
    const set = new Set<unknown>()
    for (let i = this.#count(); i > 0; i--) set.add(this.value(inside))
    return set
  }

  #nullPrototype (depth: number): object {
    const token = this.#byte()
    const count = token === tokens.map32 ? this.#count() : token - tokens.fixMap
    if (count < 0 || (token !== tokens.map32 && count > 15)) throw garbage
    return this.#properties(count, depth, Object.create(null) as Record<string, unknown>)
  }
}

function oneLevelDeeper (depth: number): number {
  if (depth === 0) throw garbage
  return depth - 1
}
