import { Watermark } from '../../shared/watermark.js'

/** The window is full with this many unacknowledged frames or bytes. */
const frameLimit = 4096
const byteLimit = 8 * 1024 * 1024
/** Calls, and messages that change or end a connection, have this much more room. */
const reserveFrames = 4 * frameLimit
const reserveBytes = 2 * byteLimit
/**
 * Hard limits for frames that must not be refused. Above them the channel is reset. They are this
 * high because one turn may end 50 000 connections with two frames each, and each connection may
 * hand on one more message after it was paused.
 */
const burstFrames = 64 * frameLimit
const burstBytes = 16 * byteLimit

/**
 * How a full window handles a frame. `message`: it is refused. `call`: it uses the reserve, and is
 * refused when the reserve is full too. `system`: it is never refused; at the hard limit the
 * channel is reset.
 */
export type Urgency = 'message' | 'call' | 'system'

/** Counts the frames of a channel that are not acknowledged, and their bytes. */
export class Window extends Watermark {
  constructor () {
    super({ messages: frameLimit, bytes: byteLimit })
  }

  /** Whether a frame of this urgency is refused. */
  refuses (urgency: Urgency): boolean {
    if (urgency === 'message') return this.full
    return urgency === 'call' && (this.length >= reserveFrames || this.bytes >= reserveBytes)
  }

  /** Whether the hard limit is reached: the channel must be reset. */
  get exhausted (): boolean {
    return this.length >= burstFrames || this.bytes >= burstBytes
  }
}
