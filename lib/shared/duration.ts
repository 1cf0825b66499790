import parse from 'parse-duration'
import { errorCodes, show } from '../errors.js'
import type { Duration } from '../../types/pid.js'

const { FST_PROCESS_INVALID_DURATION } = errorCodes

// parse-duration accepts almost any string ("1 apple" is 1): the public contract is stricter.
const grammar = /^(?:\d+(?:\.\d+)?(?:ms|[hms]))+$/

/** A longer delay makes a timer of Node fire at once. */
export const longestDelay = 2 ** 31 - 1

/** A range of durations, for an error message. */
export function durationRange (min = 0, max = longestDelay): string {
  return `${min} to ${max} ms${max === longestDelay ? ' (24.8 days)' : ''}`
}

/**
 * A duration in milliseconds.
 *
 * @param value milliseconds, or a string such as `'500ms'`, `'30s'`, `'1m30s'`, `'1.5h'`
 * @param min inclusive, in milliseconds
 * @param max inclusive, in milliseconds
 * @throws `FST_PROCESS_INVALID_DURATION` when it is malformed or out of range
 */
export function toMilliseconds (value: Duration, min = 0, max = longestDelay): number {
  const ms = typeof value === 'number' ? value : parseDuration(value)
  if (ms === null || !Number.isFinite(ms)) {
    const examples = "'500ms', '30s', '1m30s' or '1.5h'"
    const expected = `milliseconds, or a string such as ${examples}, of ${durationRange(min, max)}`
    throw new FST_PROCESS_INVALID_DURATION(show(value), `expected ${expected}`)
  }
  if (ms < min || ms > max) {
    throw new FST_PROCESS_INVALID_DURATION(show(value), `expected ${durationRange(min, max)}`)
  }
  return ms
}

function parseDuration (value: unknown): number | null {
  if (typeof value !== 'string' || value.length > 64 || !grammar.test(value)) return null
  return parse(value)
}
