// The default of the option `reconnect`, by the close code:
//
// close code                                        | default
// 1001, 1005 (no code), 1006, 1012, 1014, 1015      | again, after the backoff
// 1011, 1013                                        | again, after at least 0.5 s
// 1013 with the reason `client too slow`            | again, after at least 5 s
// 1000, 1002, 1003, 1007 to 1010, from 3000         | not again
import type { ClientClose } from '../../types/client.js'

/** Whether the client tries again after a close, by default. */
export const triesAgain = ({ code }: ClientClose): boolean => /^10(?:0[156]|1[1-5])$/.test(`${code}`)

/** The end of a socket that the client gives up. A browser tells no reason with 1006. */
export const lost = (reason: string): ClientClose => ({ code: 1006, reason })

/**
 * The delay before a try, with full jitter.
 *
 * @param attempt from 1; Infinity: the longest delay
 * @param random from 0 to 1
 * @returns milliseconds
 */
export function delayOf (
  { code, reason }: ClientClose, attempt: number, min: number, max: number, random: number
): number {
  const isOverload = code === 1011 || code === 1013
  const least = Math.max(min, isOverload ? reason === 'client too slow' ? 5000 : 500 : 0)
  // At least 1 ms, so that a `min` of 0 grows too.
  return least + random * Math.min(max, (least || 1) * 2 ** (attempt - 1))
}
