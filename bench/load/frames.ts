/** The opcodes of RFC 6455 section 5.2 that a client receives. */
export const opcodes = { text: 1, close: 8, ping: 9, pong: 10 } as const

const mask = [0x37, 0xfa, 0x21, 0x3d]

/** Encodes a masked client frame below 64 KiB. */
export function maskedFrame (payload: string, opcode: number = opcodes.text): Buffer {
  const bytes = Buffer.from(payload)
  const { length } = bytes
  const header =
    length < 126
      ? [0x80 | opcode, 0x80 | length]
      : [0x80 | opcode, 0x80 | 126, length >> 8, length & 0xff]
  return Buffer.from([...header, ...mask, ...bytes.map((byte, i) => byte ^ mask[i & 3])])
}

/**
 * Counts the messages of a server in the bytes of its socket. It reads headers, skips payloads, and
 * copies nothing.
 */
export class FrameCounter {
  /** The number of complete messages. */
  messages = 0
  /** Frames that a server must not send, and messages with a wrong length. */
  wrong = 0
  /** The bytes of every message; undefined for any. */
  expected: number | undefined
  /** Messages of at most so many bytes are acknowledgements, which are not counted. */
  longestAck = -1
  /** Called for a ping or close frame. */
  readonly #onControl: (opcode: number) => void
  #first = 0
  /** The header bytes read so far, and the missing bytes of the length. */
  #seen = 0
  #more = 0
  #length = 0
  /** The missing payload bytes of this frame. */
  #left = 0
  /** The bytes of the message so far. */
  #message = 0

  constructor (onControl: (opcode: number) => void) {
    this.#onControl = onControl
  }

  read (bytes: Uint8Array, start: number, end: number): void {
    let at = start
    while (at < end) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, end - at)
        at += taken
        this.#left -= taken
        if (this.#left === 0) this.#complete()
      } else this.#header(bytes[at++])
    }
  }

  #header (byte: number): void {
    if (this.#seen === 0) {
      this.#first = byte
      this.#seen = 1
      return
    }
    if (this.#seen === 1) {
      // The client offers no extension, and a server must not mask.
      if ((this.#first & 0x70) !== 0 || byte > 0x7f) this.wrong++
      const short = byte & 0x7f
      this.#more = short === 126 ? 2 : short === 127 ? 8 : 0
      this.#length = this.#more === 0 ? short : 0
      this.#seen = 2
    } else {
      this.#length = this.#length * 256 + byte
      this.#more--
    }
    if (this.#more > 0) return
    this.#seen = 0
    this.#left = this.#length
    if (this.#left === 0) this.#complete()
  }

  #complete (): void {
    const opcode = this.#first & 0x0f
    if (opcode >= opcodes.close) {
      if (opcode !== opcodes.pong) this.#onControl(opcode)
      return
    }
    this.#message += this.#length
    if (this.#first < 0x80) return
    if (this.expected === undefined || this.#message === this.expected) this.messages++
    else if (this.#message > this.longestAck) this.wrong++
    this.#message = 0
  }
}
