// Frames of a client, valid or not.
import { opcodes } from '../lib/websocket/frames.js'

/** A frame of a client. */
export function frameOf (
  opcode: number,
  data: string | Buffer = '',
  { fin = true, rsv1 = false, mask = 0 } = {}
): Buffer {
  const payload = Buffer.from(data)
  const { length } = payload
  const first = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode
  const header = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10)
  header[0] = first
  header[1] = 0x80 | (length < 126 ? length : length < 65536 ? 126 : 127)
  if (header.length === 4) header.writeUInt16BE(length, 2)
  if (header.length === 10) header.writeUInt32BE(length, 6)
  const masking = Buffer.alloc(4)
  masking.writeInt32BE(mask)
  if (mask !== 0) {
    payload.forEach((byte, i) => {
      payload[i] = byte ^ masking[i & 3]
    })
  }
  return Buffer.concat([header, masking, payload])
}

export function textOf (data: string): Buffer {
  return frameOf(opcodes.text, data, { mask: 0x12fe3489 })
}

/** A close frame of a client. It is empty without a code. */
export function closeOf (code?: number, reason = ''): Buffer {
  if (code === undefined) return frameOf(opcodes.close)
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)])
  return frameOf(opcodes.close, payload)
}
