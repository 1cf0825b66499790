import { decodeFrames, encodeFrame } from './codec.js'
import { types } from './frames.js'
import type { Frame, FrameFields } from './codec.js'

/** Bytes of the longest frame, in pieces or not. */
export const longestFrame = 32 * 1024 * 1024
const headroom = 64

/** Cuts a frame into frames of at most so many bytes each. */
export function * cut (fields: FrameFields, size: number): Generator<FrameFields> {
  const whole = encodeFrame(fields, 0)
  const length = size - headroom
  for (let at = 0; at < whole.length; at += length) {
    const body = whole.subarray(at, at + length)
    yield { type: types.piece, ref: whole.length - at - body.length, body }
  }
}

/** Pieces of one frame, until it is whole. They come in order, for the channel keeps it. */
export class Fragments {
  #pieces: Uint8Array[] = []
  #bytes = 0

  /** @returns the frame when it is whole; undefined: there is more to come; false: garbage */
  add ({ ref: rest, body }: Frame): Frame | undefined | false {
    this.#bytes += body.length
    if (this.#bytes + rest > longestFrame) {
      this.clear()
      return false
    }
    // The batch it came in is not kept alive.
    this.#pieces.push(Buffer.from(body))
    if (rest > 0) return undefined
    const frames = decodeFrames(Buffer.concat(this.#pieces), 0)
    this.clear()
    return frames?.length === 1 && frames[0].type !== types.piece ? frames[0] : false
  }

  clear (): void {
    this.#pieces = []
    this.#bytes = 0
  }
}
