/** Each byte holds seven bits of a number; the eighth bit says that more bytes follow. */
const base = 0x80
/** A difference of two 48-bit numbers takes 49 bits with its sign. */
const mostBytes = 7

/**
 * Encodes serial numbers. For each number it stores the difference to the number before, zigzag
 * encoded (the sign is the lowest bit), as a varint (7 bits per byte). The members of a room mostly
 * have neighbouring serials, so that each takes one or two bytes.
 */
export class NumberList {
  #bytes = Buffer.allocUnsafe(16)
  #length = 0
  #last = 0

  get bytes (): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  get length (): number {
    return this.#length
  }

  append (value: number): void {
    if (this.#length + mostBytes > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(this.#bytes.length * 2)
      this.#bytes.copy(larger)
      this.#bytes = larger
    }
    const difference = value - this.#last
    this.#last = value
    let rest = difference < 0 ? -2 * difference - 1 : 2 * difference
    while (rest >= base) {
      this.#bytes[this.#length++] = rest % base + base
      rest = Math.floor(rest / base)
    }
    this.#bytes[this.#length++] = rest
  }
}

/**
 * Decodes a {@link NumberList}.
 * @returns undefined if the bytes are malformed, or a number is not from 1 to 2 ** 48 - 1
 */
export function decodeNumberList (bytes: Uint8Array): number[] | undefined {
  const values: number[] = []
  let value = 0
  for (let at = 0; at < bytes.length;) {
    let zigzag = 0
    let weight = 1
    let byte = base
    for (let read = 0; byte >= base; read++, weight *= base) {
      if (read === mostBytes || at === bytes.length) return undefined
      byte = bytes[at++]
      zigzag += byte % base * weight
    }
    value += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
    if (value < 1 || value >= 2 ** 48) return undefined
    values.push(value)
  }
  return values
}
