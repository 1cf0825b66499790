/**
 * The bytes between nodes. One message of the engine carries one batch:
 *
 *   version (1) | type (1) | node name (1 + n) | incarnation (6) | rest
 *
 * The rest of `frames`, `nack`, `ping` and `reset` begins with a channel header:
 *
 *   connection number of the sender (4) | of the receiver (4) | acknowledged frame (6)
 *
 * then `frames` has frames, and `ping` has one number. The rest of `heartbeat` and `outdated` is
 * one number. The rest of `broadcast` is frames. A frame is:
 *
 *   length of what follows (4) | type (1) | kind (1) | seq (6) | to (6) | from (6) | ref (6) |
 *   length of the text (2) | text | body
 *
 * All numbers are big-endian. A number of 6 bytes holds every safe serial, time and counter.
 */

/** The first byte of every batch. Nodes that speak another version refuse each other. */
export const version = 2

/** Types of batches. Numbers are the protocol: a number is never used again for another type. */
export const batchTypes = {
  /** Frames of a channel; without frames it only acknowledges. */
  frames: 1,
  heartbeat: 2,
  broadcast: 3,
  /** Asks the other node to reset one connection of the channel. */
  reset: 4,
  /** Asks the other node to resend all unacknowledged frames. */
  nack: 5,
  /** Tells the number of the last frame that was sent. */
  ping: 6,
  /** Tells a node that a later incarnation of it is known, and which. */
  outdated: 8
} as const

/** This bit of a frame's type marks a frame that a node may skip if it does not know the type. */
export const skippable = 0x80

/** The beginning of every batch: its type, and the node that sent it. */
export interface BatchSource {
  readonly type: number
  readonly node: string
  readonly incarnation: number
}

/** The header of a batch that belongs to a channel. */
export interface ChannelHeader {
  /** The connection number of the sender. */
  readonly src: number
  /** The connection number of the receiver, as far as the sender knows it; 0 before. */
  readonly dst: number
  /**
   * The last frame that the sender of the batch has received in order. In a `reset`: the highest
   * connection number of the receiver that the sender has closed.
   */
  readonly ack: number
}

/** One frame: sender, receiver, a text and a payload. The type decides which fields are used. */
export interface Frame {
  readonly type: number
  /** How the body is encoded. @see payloadKinds */
  readonly kind: number
  /** Its number in the channel, from 1; 0 outside a channel. */
  readonly seq: number
  /** Serial number of a process of the receiving node; 0: none. */
  readonly to: number
  /**
   * Serial number of a process of the sending node; 0: none. The node is not in the frame, so a
   * node cannot forge the PID of another node.
   */
  readonly from: number
  /** A number whose meaning depends on the type, for example the number of a call. */
  readonly ref: number
  /** A topic, an exit reason or a group, depending on the type. */
  readonly text: string
  readonly body: Uint8Array
}

/** The fields of a frame that is to be encoded. An absent field is 0 or empty. */
export type FrameFields = { readonly type: number } & Partial<Omit<Frame, 'type' | 'seq'>>

const uint48 = 6
/** Bytes of a frame before its text. */
const fixedFrame = 4 + 1 + 1 + 4 * uint48 + 2
const longestText = 0xffff
const empty = Buffer.alloc(0)

/** Bytes of the longest header of a batch: version, type, node, incarnation, channel header. */
export const maxHeaderBytes = 1 + 1 + 1 + 64 + uint48 + 4 + 4 + 3 * uint48

/** The encoded length of a frame, in bytes. */
export function frameSize ({ text = '', body = empty }: FrameFields): number {
  return fixedFrame + Buffer.byteLength(text) + body.length
}

/** Encodes a frame. @throws RangeError if the text is longer than 65 535 bytes */
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

/** Reads type and receiver of a frame that {@link encodeFrame} made. */
export function envelopeOf (frame: Buffer): { readonly type: number, readonly to: number } {
  return { type: frame[4], to: frame.readUIntBE(12, uint48) }
}

/** Decodes all frames from an offset on. @returns undefined if one of them is malformed */
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

/** Encodes the beginning of a batch. */
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

/**
 * Decodes the beginning of a batch. The caller only counts a failure, so it needs no reason.
 * @returns undefined if it is malformed or of another version
 */
export function decodeSource (
  bytes: Buffer
): (BatchSource & { readonly end: number }) | undefined {
  return bytes[0] === version ? readSource(bytes) : undefined
}

/**
 * Decodes the beginning of a batch of another version: it is the same in all versions.
 * @returns undefined if it is malformed or of this version
 */
export function decodeOtherVersion (
  bytes: Buffer
): (BatchSource & { readonly version: number }) | undefined {
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

/** @returns undefined if the header is incomplete, or its connection number is 0 */
export function decodeChannelHeader (
  bytes: Buffer,
  at: number
): (ChannelHeader & { readonly end: number }) | undefined {
  const end = at + channelHeaderSize
  if (bytes.length < end) return undefined
  const src = bytes.readUInt32BE(at)
  // 0 stands for an unknown number, so no connection has it.
  if (src === 0) return undefined
  return { src, dst: bytes.readUInt32BE(at + 4), ack: bytes.readUIntBE(at + 8, uint48), end }
}

/** Encodes the number of a ping, a heartbeat or an `outdated`. */
export function encodeNumber (value: number): Buffer {
  const bytes = Buffer.allocUnsafe(uint48)
  bytes.writeUIntBE(value, 0, uint48)
  return bytes
}

/** @returns undefined if the bytes end before */
export function decodeNumber (bytes: Buffer, at: number): number | undefined {
  return bytes.length < at + uint48 ? undefined : bytes.readUIntBE(at, uint48)
}
