import { decodeFrames, encodeFrame } from './codec.js'
import { frameTypes } from './frame-types.js'
import type { Frame, FrameFields } from './codec.js'

/** Bytes of the longest frame, in pieces or not. */
export const maxFrameBytes = 32 * 1024 * 1024
const headroom = 64

/** Cuts a frame into frames of at most so many bytes each. */
export function * splitFrame (fields: FrameFields, size: number): Generator<FrameFields> {
  const whole = encodeFrame(fields, 0)
  const length = size - headroom
  for (let at = 0; at < whole.length; at += length) {
    const body = whole.subarray(at, at + length)
    yield { type: frameTypes.fragment, ref: whole.length - at - body.length, body }
  }
}

/** Pieces of one frame, until it is whole. They come in order, for the channel keeps it. */
export class Fragments {
  #parts: Uint8Array[] = []
  #bytes = 0

  /** @returns the frame when it is whole; undefined: there is more to come; false: garbage */
  addFragment ({ ref: rest, body }: Frame): Frame | undefined | false {
    this.#bytes += body.length
    if (this.#bytes + rest > maxFrameBytes) {
      this.clear()
      return false
    }
    // The batch it came in is not kept alive.
    this.#parts.push(Buffer.from(body))
    if (rest > 0) return undefined
    const frames = decodeFrames(Buffer.concat(this.#parts), 0)
    this.clear()
    return frames?.length === 1 && frames[0].type !== frameTypes.fragment ? frames[0] : false
  }

  clear (): void {
    this.#parts = []
    this.#bytes = 0
  }
}
