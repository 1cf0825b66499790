import { failure, success } from '../../shared/result.js'
import { decodeFrames, encodeFrame } from './codec.js'
import { frameTypes } from './frame-types.js'
import type { Result } from '../../shared/result.js'
import type { Frame, FrameFields } from './codec.js'

/** Bytes of the longest frame, whether it is split or not. */
export const maxFrameBytes = 32 * 1024 * 1024
/** Bytes that a fragment takes besides its part of the frame. */
const headroom = 64

/** Splits a frame that is too long for the engine into fragments of at most `size` bytes each. */
export function * splitFrame (fields: FrameFields, size: number): Generator<FrameFields> {
  const whole = encodeFrame(fields, 0)
  const length = size - headroom
  for (let at = 0; at < whole.length; at += length) {
    const body = whole.subarray(at, at + length)
    yield { type: frameTypes.fragment, ref: whole.length - at - body.length, body }
  }
}

/** Collects the fragments of one frame. The channel delivers them in order. */
export class Fragments {
  #parts: Uint8Array[] = []
  #bytes = 0

  /**
   * Adds the next fragment. Only split frames come here, so a result for each is cheap enough.
   * @returns the whole frame after its last fragment, and undefined before
   */
  addFragment ({ ref: bytesToCome, body }: Frame): Result<Frame | undefined> {
    this.#bytes += body.length
    if (this.#bytes + bytesToCome > maxFrameBytes) {
      this.clear()
      return failure('the frame is too long')
    }
    // A copy: the view would keep the whole batch in memory.
    this.#parts.push(Buffer.from(body))
    if (bytesToCome > 0) return success(undefined)
    const frames = decodeFrames(Buffer.concat(this.#parts), 0)
    this.clear()
    if (frames?.length === 1 && frames[0].type !== frameTypes.fragment) return success(frames[0])
    return failure('the fragments do not make one frame')
  }

  clear (): void {
    this.#parts = []
    this.#bytes = 0
  }
}
