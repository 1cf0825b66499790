// The controls of docs/resume.md: text messages whose first byte is 00. A second byte of 00 marks a
// text of the application that itself begins with U+0000.
import { failure, success } from '../shared/result.js'
import { opcodeOf, opcodes, payloadStart, textFrame } from '../websocket/frames.js'
import type { Slice } from '../shared/slice.js'
import type { Result } from '../shared/result.js'
import type { ResumeOutcome } from '../../types/stats.js'

/** The second byte of a control. */
export const controls = { hello: 0x68, ack: 0x61, ping: 0x70, reconnect: 0x72 } as const

/** Why a session was not resumed. */
export type RefusedBecause = Exclude<ResumeOutcome, 'resumed'>

/** The first message of the server. */
export interface Hello {
  /** Absent where the session cannot be resumed. */
  readonly token?: string
  /** Milliseconds from the loss of the socket to the end of the session; 0: no resume. */
  readonly window: number
  /** The number of the next data message on this socket. */
  readonly from: number
  /** Data messages of the client that the session has taken. */
  readonly received: number
  readonly resumed: boolean
  /** Present if a resume was asked for and not granted. */
  readonly why?: RefusedBecause
  /** The application's protocol that the handler chose; empty without one. */
  readonly protocol: string
}

/** The fields have the order of docs/resume.md. */
export function helloFrame (
  { token, window, from, received, resumed, why, protocol }: Hello
): Slice {
  const hello = { v: 1, token, window, from, received, resumed, why, protocol }
  return textFrame(`\u0000h${JSON.stringify(hello)}`)
}

/**
 * The advice to open a new socket, because this server is about to close.
 * @param by milliseconds after which the present socket is closed
 */
export function reconnectFrame (by: number): Slice {
  return textFrame(`\u0000r${JSON.stringify({ after: 0, by })}`)
}

/** The report about an invalid message of the client. @param report JSON */
export function errorFrame (report: string): Slice {
  return textFrame(`\u0000e${report}`)
}

/** @param received data messages received so far, in the whole session */
export function ackFrame (received: number): Slice {
  return textFrame(`\u0000a${received}`)
}

const maxDigits = 16
const digits = /^\d+$/

/** Reads an acknowledgement. @param message the whole one */
export function parseAck (message: string): Result<number> {
  const text = message.slice(2, 2 + maxDigits + 1)
  if (text.length > maxDigits) return failure('longer than 16 digits')
  return digits.test(text) ? success(Number(text)) : failure('not a number')
}

/** Whether a text message is a control, or an escaped text of the application. */
export function beginsWithNul (text: string): boolean {
  return text.charCodeAt(0) === 0
}

/** Whether a message that begins with 00 is a text of the application, with a 00 in front. */
export function isEscaped (text: string): boolean {
  return text.charCodeAt(1) === 0
}

/**
 * Puts one more 00 in front of a text that begins with U+0000.
 * @param frame a whole frame of this server, not compressed. Other clients may share it
 */
export function escapeFrame (frame: Slice): Slice {
  const { memory, end } = frame
  const start = payloadStart(frame)
  if (opcodeOf(frame) !== opcodes.text || start === end || memory[start] !== 0) return frame
  return textFrame(`\u0000${memory.toString('utf8', start, end)}`)
}
