/** Levels of arrays and maps that are taken: deeper ones are an attack on the stack. */
const deepest = 64
const undefinedType = 0
const timestampType = 0xff

/**
 * Whether bytes are one MessagePack value of plain data: complete, nothing behind it, not too deep, and of the
 * extensions only undefined and the timestamp. The decoder knows others that make it allocate what a length
 * announces, or build objects of a class: they never get there.
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function isPlain (bytes: Uint8Array): boolean {
  const scan = new Scan(bytes)
  return scan.value(deepest) && scan.done
}

class Scan {
  readonly #bytes: Uint8Array
  #at = 0

  constructor (bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get done (): boolean {
    return this.#at === this.#bytes.length
  }

  value (depth: number): boolean {
    if (depth === 0 || this.#at >= this.#bytes.length) return false
    const token = this.#bytes[this.#at++]
    if (token < 0x80 || token >= 0xe0) return true
    if (token < 0x90) return this.#values((token & 0x0f) * 2, depth)
    if (token < 0xa0) return this.#values(token & 0x0f, depth)
    if (token < 0xc0) return this.#skip(token & 0x1f)
    switch (token) {
      case 0xc0: case 0xc2: case 0xc3: return true
      case 0xc4: case 0xd9: return this.#skip(this.#length(1))
      case 0xc5: case 0xda: return this.#skip(this.#length(2))
      case 0xc6: case 0xdb: return this.#skip(this.#length(4))
      case 0xc7: return this.#extension(this.#length(1))
      case 0xcc: case 0xd0: return this.#skip(1)
      case 0xcd: case 0xd1: return this.#skip(2)
      case 0xca: case 0xce: case 0xd2: return this.#skip(4)
      case 0xcb: case 0xcf: case 0xd3: return this.#skip(8)
      case 0xd4: return this.#extension(1)
      case 0xd6: return this.#extension(4)
      case 0xd7: return this.#extension(8)
      case 0xdc: return this.#values(this.#length(2), depth)
      case 0xdd: return this.#values(this.#length(4), depth)
      case 0xde: return this.#values(this.#length(2) * 2, depth)
      case 0xdf: return this.#values(this.#length(4) * 2, depth)
      default: return false
    }
  }

  /** As long as each value takes a byte at least, a false count ends with the bytes. */
  #values (count: number, depth: number): boolean {
    for (let i = 0; i < count; i++) if (!this.value(depth - 1)) return false
    return true
  }

  #extension (length: number): boolean {
    const type = this.#bytes[this.#at++]
    if (type === undefinedType) return length === 1 && this.#skip(1)
    return type === timestampType && (length === 4 || length === 8 || length === 12) && this.#skip(length)
  }

  /** A number that goes past the end is larger than any rest. */
  #length (size: number): number {
    if (this.#at + size > this.#bytes.length) return Infinity
    let length = 0
    for (let i = 0; i < size; i++) length = length * 256 + this.#bytes[this.#at++]
    return length
  }

  #skip (length: number): boolean {
    this.#at += length
    return this.#at <= this.#bytes.length
  }
}
