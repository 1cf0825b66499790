import { maxDepth, extraKinds, maxValueBytes, tokens, views } from './plain.js'
import { classOf, propertyStep, Unsendable } from './unsendable.js'

/** A method of strings that the compiler's library does not declare yet. */
interface WellFormed { isWellFormed (): boolean }

/** Bytes of one slab. Many short values share one. */
const slabSize = 16 * 1024
/** With fewer bytes left than this, the next value begins a new slab. */
const leastRoom = 512
/** Strings up to this length are written in JavaScript, which is faster than a call into Node. */
const shortText = 24
const int64Min = -(2n ** 63n)
const int64Max = 2n ** 63n - 1n

const viewKinds = new Map<object | null, number>(
  views.map(({ prototype }, kind) => [prototype, kind])
)
const { entries } = Map.prototype
const { values } = Set.prototype

/** Whether UTF-8 can represent a string: it has no lone surrogates. */
export function isWellFormed (text: string): boolean {
  return (text as unknown as WellFormed).isWellFormed()
}

/** A writer that is not in use. If a getter sends something itself, it needs a second writer. */
let idleWriter: PlainWriter | undefined

/**
 * Encodes a value. The returned bytes are never written again.
 * @throws `Unsendable` if a part of it cannot be decoded to the same value
 */
export function writePlain (value: unknown): Buffer {
  const writer = idleWriter ?? new PlainWriter()
  idleWriter = undefined
  let bytes: Buffer
  try {
    bytes = writer.write(value)
  } catch (thrown) {
    idleWriter = writer
    throw Unsendable.of(thrown)
  }
  idleWriter = writer
  return bytes
}

class PlainWriter {
  #bytes = Buffer.allocUnsafeSlow(slabSize)
  /** Start of the current value in the slab, and the next free byte. */
  #start = 0
  #at = 0
  /** The objects around the current value, from the outside to the inside. */
  readonly #ancestors: object[] = []

  write (value: unknown): Buffer {
    if (this.#bytes.length !== slabSize || this.#start > slabSize - leastRoom) {
      this.#bytes = Buffer.allocUnsafeSlow(slabSize)
      this.#start = 0
    }
    this.#at = this.#start
    this.#ancestors.length = 0
    this.#value(value)
    const bytes = this.#bytes.subarray(this.#start, this.#at)
    this.#start = this.#at
    return bytes
  }

  #value (value: unknown): void {
    switch (typeof value) {
      case 'string': return this.#text(value)
      case 'number': return this.#number(value)
      case 'boolean': return this.#token(value ? tokens.true : tokens.false)
      case 'object': return value === null ? this.#token(tokens.null) : this.#object(value)
      case 'undefined':
        this.#extra(extraKinds.undefined, 0)
        return
      case 'bigint': return this.#bigint(value)
      default: throw new Unsendable(`a ${typeof value}`)
    }
  }

  // Room

  /** Reserves bytes. @returns the offset of the first one */
  #reserve (size: number): number {
    const at = this.#at
    const end = at + size
    if (end > this.#bytes.length) return this.#grow(size)
    this.#at = end
    return at
  }

  #grow (size: number): number {
    const written = this.#at - this.#start
    if (written + size > maxValueBytes) throw new Unsendable(`more than ${maxValueBytes} bytes`)
    const bytes = Buffer.allocUnsafeSlow(Math.max(slabSize, 2 * (written + size)))
    bytes.set(this.#bytes.subarray(this.#start, this.#at))
    this.#bytes = bytes
    this.#start = 0
    this.#at = written + size
    return written
  }

  #token (token: number): void {
    const at = this.#reserve(1)
    this.#bytes[at] = token
  }

  /** Writes the head of an extra value. @returns the offset of its `size` bytes */
  #extra (kind: number, size: number): number {
    const at = this.#reserve(2 + size)
    this.#bytes[at] = tokens.extra
    this.#bytes[at + 1] = kind
    return at + 2
  }

  /** Writes a count: in the token itself, or in four bytes after another token. */
  #count (fix: number, long: number, count: number): void {
    if (count < 16) return this.#token(fix | count)
    const at = this.#reserve(5)
    this.#bytes[at] = long
    this.#bytes.writeUInt32BE(count, at + 1)
  }

  #size (kind: number, parts: number): void {
    const at = this.#extra(kind, 4)
    this.#bytes.writeUInt32BE(parts, at)
  }

  /** Writes the head and length of an extra value. @returns the offset of its `size` bytes */
  #sizedExtra (kind: number, size: number): number {
    const at = this.#extra(kind, 4 + size)
    this.#bytes.writeUInt32BE(size, at)
    return at + 4
  }

  // Values without parts

  #number (value: number): void {
    if ((value | 0) !== value || Object.is(value, -0)) {
      const at = this.#reserve(9)
      this.#bytes[at] = tokens.float64
      this.#bytes.writeDoubleBE(value, at + 1)
    } else if (value >= -32 && value < 0x80) this.#token(value & 0xff)
    else if (value >= 0 && value < 0x1_0000) {
      const at = this.#reserve(3)
      this.#bytes[at] = tokens.uint16
      this.#bytes.writeUInt16BE(value, at + 1)
    } else {
      const at = this.#reserve(5)
      this.#bytes[at] = tokens.int32
      this.#bytes.writeInt32BE(value, at + 1)
    }
  }

  #bigint (value: bigint): void {
    if (value >= int64Min && value <= int64Max) {
      const at = this.#reserve(9)
      this.#bytes[at] = tokens.int64
      this.#bytes.writeBigInt64BE(value, at + 1)
      return
    }
    const digits = value.toString(16)
    const at = this.#sizedExtra(extraKinds.bigint, digits.length)
    this.#bytes.write(digits, at, 'latin1')
  }

  #text (text: string): void {
    if (text.length <= shortText && this.#ascii(text)) return
    if (isWellFormed(text)) return this.#utf8(text)
    const at = this.#sizedExtra(extraKinds.utf16, 2 * text.length)
    this.#bytes.write(text, at, 'utf16le')
  }

  /** Writes an ASCII string. @returns false if it is not ASCII; then nothing is written */
  #ascii (text: string): boolean {
    const { length } = text
    const at = this.#reserve(1 + length)
    const bytes = this.#bytes
    bytes[at] = tokens.fixText | length
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) {
        this.#at = at
        return false
      }
      bytes[at + 1 + i] = code
    }
    return true
  }

  #utf8 (text: string): void {
    const most = 3 * text.length
    const header = most < 0x1_0000 ? 3 : 5
    const at = this.#reserve(header + (header === 3 ? most : Buffer.byteLength(text)))
    const bytes = this.#bytes
    const written = bytes.write(text, at + header)
    bytes[at] = header === 3 ? tokens.text16 : tokens.text32
    if (header === 3) bytes.writeUInt16BE(written, at + 1)
    else bytes.writeUInt32BE(written, at + 1)
    this.#at = at + header + written
  }

  // Objects

  #object (value: object): void {
    const around = this.#ancestors
    if (around.length === maxDepth) throw this.#depthError()
    around.push(value)
    this.#objectOf(value, Object.getPrototypeOf(value) as object | null)
    around.pop()
  }

  #objectOf (value: object, prototype: object | null): void {
    const viewKind = viewKinds.get(prototype)
    if (prototype === Object.prototype) this.#properties(value)
    else if (prototype === Array.prototype && Array.isArray(value)) this.#array(value)
    else if (prototype === Buffer.prototype) this.#buffer(value as Buffer)
    else if (prototype === Map.prototype) this.#map(value as Map<unknown, unknown>)
    else if (prototype === Set.prototype) this.#set(value as Set<unknown>)
    else if (prototype === Date.prototype) this.#date(value as Date)
    else if (viewKind !== undefined) this.#view(value as ArrayBufferView | ArrayBuffer, viewKind)
    else if (inheritsNothing(prototype)) {
      this.#extra(extraKinds.nullPrototype, 0)
      this.#properties(value)
    } else throw new Unsendable(classOf(value))
  }

  /** Called at the maximum depth: only then a cycle is worth looking for. */
  #depthError (): Unsendable {
    const around = this.#ancestors
    const again = around.findIndex((value, i) => around.indexOf(value) < i)
    if (again === -1) return new Unsendable(`more than ${maxDepth} levels`)
    return new Unsendable('a cycle', again)
  }

  #properties (value: object): void {
    if (Object.getOwnPropertySymbols(value).length > 0) {
      throw new Unsendable('an object with symbols as keys')
    }
    const keys = Object.keys(value)
    this.#count(tokens.fixMap, tokens.map32, keys.length)
    let key = ''
    try {
      for (key of keys) {
        this.#text(key)
        this.#value((value as Record<string, unknown>)[key])
      }
    } catch (thrown) {
      throw Unsendable.of(thrown).within(propertyStep(key))
    }
  }

  #array (value: readonly unknown[]): void {
    const { length } = value
    this.#count(tokens.fixArray, tokens.array32, length)
    let i = 0
    try {
      for (; i < length; i++) {
        const part = value[i]
        if (part === undefined && !(i in value)) throw new Unsendable('a hole of an array')
        this.#value(part)
      }
    } catch (thrown) {
      throw Unsendable.of(thrown).within(`[${i}]`)
    }
  }

  #map (value: Map<unknown, unknown>): void {
    const pairs = [...entries.call(value)] as Array<[unknown, unknown]>
    this.#size(extraKinds.map, pairs.length)
    let i = 0
    let part = ''
    try {
      for (; i < pairs.length; i++) {
        part = 'keys'
        this.#value(pairs[i][0])
        part = 'values'
        this.#value(pairs[i][1])
      }
    } catch (thrown) {
      throw Unsendable.of(thrown).within(`.${part}()[${i}]`)
    }
  }

  #set (value: Set<unknown>): void {
    const parts = [...values.call(value)]
    this.#size(extraKinds.set, parts.length)
    let i = 0
    try {
      for (; i < parts.length; i++) this.#value(parts[i])
    } catch (thrown) {
      throw Unsendable.of(thrown).within(`.values()[${i}]`)
    }
  }

  #date (value: Date): void {
    const at = this.#extra(extraKinds.date, 8)
    this.#bytes.writeDoubleBE(value.getTime(), at)
  }

  #buffer (value: Buffer): void {
    const { length } = value
    const at = this.#reserve(5 + length)
    this.#bytes[at] = tokens.bytes32
    this.#bytes.writeUInt32BE(length, at + 1)
    this.#bytes.set(value, at + 5)
  }

  #view (value: ArrayBufferView | ArrayBuffer, kind: number): void {
    const { byteLength } = value
    const bytes = 'buffer' in value
      ? new Uint8Array(value.buffer, value.byteOffset, byteLength)
      : new Uint8Array(value, 0, byteLength)
    const at = this.#sizedExtra(extraKinds.view, 1 + bytes.length)
    this.#bytes[at] = kind
    this.#bytes.set(bytes, at + 1)
  }
}

/**
 * Whether objects with this prototype inherit nothing: it is null, or an empty object without a
 * prototype, as for the query of a request.
 */
function inheritsNothing (prototype: object | null): boolean {
  if (prototype === null) return true
  return Object.getPrototypeOf(prototype) === null && Reflect.ownKeys(prototype).length === 0
}
