/** A batch is what one engine message carries; this byte comes first. */
export const version = 2

/** What a batch is. `outdated` tells a node which later incarnation of it the sender knows. */
export const batchTypes = { frames: 1, heartbeat: 2, broadcast: 3, reset: 4, nack: 5, ping: 6, outdated: 8 } as const

/** Set in the type of a frame that an older node may skip. */
export const skippable = 0x80

/** What comes first in every batch. */
export interface BatchSource {
  readonly type: number
  readonly node: string
  readonly incarnation: number
}

/** A batch of a channel, up to its frames. */
export interface ChannelHeader {
  /** The connection number of the sender. */
  readonly src: number
  /** That of the receiver, as the sender knows it; 0: not yet. */
  readonly dst: number
  /** The last frame in order that the sender has received. */
  readonly ack: number
}

/** One frame: who to whom, what about, and a payload. */
export interface Frame {
  readonly type: number
  /** How the body is to be read. @see payloadKinds */
  readonly kind: number
  /** Its place in the channel, from 1; 0 outside of one. */
  readonly seq: number
  /** Serial of a process of the receiving node; 0: none. */
  readonly to: number
  /** Serial of a process of the sending node; 0: none. Whole PIDs do not travel, so none can be forged. */
  readonly from: number
  readonly ref: number
  /** A topic, a reason or a group. */
  readonly text: string
  readonly body: Uint8Array
}

/** What is to be a frame; what is left out is 0 or empty. */
export type FrameFields = { readonly type: number } & Partial<Omit<Frame, 'type' | 'seq'>>

const uint48 = 6
const fixedFrame = 4 + 1 + 1 + 4 * uint48 + 2
const longestText = 0xffff
const empty = Buffer.alloc(0)

/** Bytes of the longest header of a batch: type, node, incarnation, numbers. */
export const maxHeaderBytes = 1 + 1 + 1 + 64 + uint48 + 4 + 4 + 3 * uint48

/** Bytes that a frame takes. */
export function frameSize ({ text = '', body = empty }: FrameFields): number {
  return fixedFrame + Buffer.byteLength(text) + body.length
}

/** A frame as bytes, with its length before it. */
export function encodeFrame (fields: FrameFields, seq: number): Buffer {
  const { type, kind = 0, to = 0, from = 0, ref = 0, text = '', body = empty } = fields
  const textLength = Buffer.byteLength(text)
  if (textLength > longestText) throw new RangeError('The text of a frame is too long')
  const bytes = Buffer.allocUnsafe(fixedFrame + textLength + body.length)
  bytes.writeUInt32BE(bytes.length - 4, 0)
  bytes[4] = type
  bytes[5] = kind
  bytes.writeUIntBE(seq, 6, uint48)
  bytes.writeUIntBE(to, 12, uint48)
  bytes.writeUIntBE(from, 18, uint48)
  bytes.writeUIntBE(ref, 24, uint48)
  bytes.writeUInt16BE(textLength, 30)
  bytes.write(text, fixedFrame)
  bytes.set(body, fixedFrame + textLength)
  return bytes
}

/** Type and receiver of a frame, as {@link encodeFrame} made it. */
export function envelopeOf (frame: Buffer): { readonly type: number, readonly to: number } {
  return { type: frame[4], to: frame.readUIntBE(12, uint48) }
}

/** All frames from an offset on. @returns undefined when one of them is broken */
export function decodeFrames (bytes: Buffer, offset: number): Frame[] | undefined {
  const frames: Frame[] = []
  for (let at = offset; at < bytes.length;) {
    if (at + fixedFrame > bytes.length) return undefined
    const end = at + 4 + bytes.readUInt32BE(at)
    const bodyAt = at + fixedFrame + bytes.readUInt16BE(at + 30)
    if (end > bytes.length || bodyAt > end) return undefined
    frames.push({
      type: bytes[at + 4],
      kind: bytes[at + 5],
      seq: bytes.readUIntBE(at + 6, uint48),
      to: bytes.readUIntBE(at + 12, uint48),
      from: bytes.readUIntBE(at + 18, uint48),
      ref: bytes.readUIntBE(at + 24, uint48),
      text: bytes.toString('utf8', at + fixedFrame, bodyAt),
      body: bytes.subarray(bodyAt, end)
    })
    at = end
  }
  return frames
}

/** Writes and reads what comes before the frames of a batch. */
export function encodeSource ({ type, node, incarnation }: BatchSource): Buffer {
  const bytes = Buffer.allocUnsafe(3 + node.length + uint48)
  bytes[0] = version
  bytes[1] = type
  bytes[2] = node.length
  bytes.write(node, 3, 'latin1')
  bytes.writeUIntBE(incarnation, 3 + node.length, uint48)
  return bytes
}

const nodeShape = /^[A-Za-z0-9_-]{1,64}$/

/** @returns undefined when it is nothing of ours, or of another version */
export function decodeSource (bytes: Buffer): (BatchSource & { readonly end: number }) | undefined {
  return bytes[0] === version ? readSource(bytes) : undefined
}

/** Who sent a batch of another version: its source begins alike in all of them. @returns undefined when it is none */
export function decodeOtherVersion (bytes: Buffer): (BatchSource & { readonly version: number }) | undefined {
  const source = bytes[0] === version || bytes[0] === 0 ? undefined : readSource(bytes)
  return source && { ...source, version: bytes[0] }
}

function readSource (bytes: Buffer): (BatchSource & { readonly end: number }) | undefined {
  if (bytes.length < 3) return undefined
  const end = 3 + bytes[2] + uint48
  if (bytes.length < end) return undefined
  const node = bytes.toString('latin1', 3, 3 + bytes[2])
  if (!nodeShape.test(node)) return undefined
  return { type: bytes[1], node, incarnation: bytes.readUIntBE(end - uint48, uint48), end }
}

const channelHeaderSize = 4 + 4 + uint48

export function encodeChannelHeader ({ src, dst, ack }: ChannelHeader): Buffer {
  const bytes = Buffer.allocUnsafe(channelHeaderSize)
  bytes.writeUInt32BE(src, 0)
  bytes.writeUInt32BE(dst, 4)
  bytes.writeUIntBE(ack, 8, uint48)
  return bytes
}

export function decodeChannelHeader (bytes: Buffer, at: number): (ChannelHeader & { readonly end: number }) | undefined {
  const end = at + channelHeaderSize
  if (bytes.length < end) return undefined
  const src = bytes.readUInt32BE(at)
  // Nobody's first connection is 0.
  if (src === 0) return undefined
  return { src, dst: bytes.readUInt32BE(at + 4), ack: bytes.readUIntBE(at + 8, uint48), end }
}

/** One number of a ping or a heartbeat. */
export function encodeNumber (value: number): Buffer {
  const bytes = Buffer.allocUnsafe(uint48)
  bytes.writeUIntBE(value, 0, uint48)
  return bytes
}

export function decodeNumber (bytes: Buffer, at: number): number | undefined {
  return bytes.length < at + uint48 ? undefined : bytes.readUIntBE(at, uint48)
}
