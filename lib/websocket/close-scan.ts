import { isUtf8 } from 'node:buffer'
import { maySendCode } from '../connection/close-codes.js'
import { noCode, opcodes } from './frames.js'
import { unmask } from './unmask.js'

/** The content of a close frame. 1005: it has no code. */
export interface CloseFrame {
  readonly code: number
  readonly reason: string
}

/**
 * Looks for a close frame in bytes that are not parsed yet. A client that closes and goes has
 * closed, even if its messages before that wait for their target.
 * @param bytes begin with a frame of the client. They are not changed
 * @returns undefined if there is none, or none that is valid
 */
export function findCloseFrame (bytes: Buffer): CloseFrame | undefined {
  for (let start = 0; bytes.length - start >= 6;) {
    const short = bytes[start + 1] & 0x7f
    const header = short < 126 ? 6 : short === 126 ? 8 : 14
    if (bytes.length - start < header) return undefined
    const length = short < 126
      ? short
      : short === 126 ? bytes.readUInt16BE(start + 2) : Number(bytes.readBigUInt64BE(start + 2))
    const end = start + header + length
    if (end > bytes.length) return undefined
    if ((bytes[start] & 0x0f) === opcodes.close) {
      const at = start + header
      return readCloseFrame(bytes.readInt32LE(at - 4), bytes.subarray(at, end))
    }
    start = end
  }
  return undefined
}

function readCloseFrame (mask: number, masked: Buffer): CloseFrame | undefined {
  if (masked.length === 0) return { code: noCode, reason: '' }
  if (masked.length === 1) return undefined
  const payload = Buffer.from(masked)
  unmask(payload, 0, payload.length, mask)
  const code = payload.readUInt16BE()
  const text = payload.subarray(2)
  return maySendCode(code) && isUtf8(text) ? { code, reason: text.toString() } : undefined
}
