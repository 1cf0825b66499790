// Frames of a client, valid or not.
import { opcodes } from '../lib/websocket/frames.js'

/** A frame of a client. */
export function frameOf (opcode: number, data: string | Buffer = '', { fin = true, rsv1 = false, mask = 0 } = {}): Buffer {
  const payload = Buffer.from(data)
  const { length } = payload
  const first = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode
  const header = length < 126
    ? Buffer.from([first, 0x80 | length])
    : length < 65536 ? Buffer.from([first, 0xfe, length >> 8, length & 0xff]) : Buffer.from([first, 0xff, 0, 0, 0, 0, length >>> 24, length >>> 16 & 0xff, length >>> 8 & 0xff, length & 0xff])
  const masking = Buffer.alloc(4)
  masking.writeInt32BE(mask)
  if (mask !== 0) payload.forEach((byte, i) => { payload[i] = byte ^ masking[i & 3] })
  return Buffer.concat([header, masking, payload])
}

export function textOf (data: string): Buffer {
  return frameOf(opcodes.text, data, { mask: 0x12fe3489 })
}

/** A close frame of a client. It is empty without a code. */
export function closeOf (code?: number, reason = ''): Buffer {
  if (code === undefined) return frameOf(opcodes.close)
  return frameOf(opcodes.close, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]))
}
