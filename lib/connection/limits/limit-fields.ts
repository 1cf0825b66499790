// The fields of `X-WS-Relay` and `ws.control` about limits: how much a client may send, and when
// its connection ends.
import { Type } from '@sinclair/typebox'
import { toError } from '../../errors.js'
import { toMilliseconds } from '../../shared/duration.js'
import { failure, success } from '../../shared/result.js'
import type { Static, TObject } from '@sinclair/typebox'
import type { Result } from '../../shared/result.js'
import type { Duration } from '../../../types/pid.js'
import type { ExpiryChange } from './expiry.js'
import type { BucketSize } from './token-bucket.js'

const minBurst = 0.1
const maxBurst = 3600
const defaultBurst = 1
const maxMessagesPerSecond = 1_000_000
const maxBytesPerSecond = 1024 ** 3

/** A time since 1970 that is smaller is in seconds. */
const minTime = 1e11
/** The last time of a `Date`. */
const maxTime = 8.64e15
const minDuration = 100
const maxExpiresIn = 366 * 24 * 60 * 60 * 1000
const maxNotice = 24 * 60 * 60 * 1000

const over = Type.Union([Type.Literal('pause'), Type.Literal('close')])
/** Other fields are not allowed: a typing error must not turn a limit off. */
const limit = Type.Object({
  messages: Type.Optional(Type.String({ maxLength: 32, pattern: '^\\d+(\\.\\d+)?/[smh]$' })),
  bytes: Type.Optional(Type.String({
    maxLength: 32, pattern: '^\\d+(\\.\\d+)?(B|KiB|MiB|GiB)/[smh]$'
  })),
  burst: Type.Optional(Type.Number({ minimum: minBurst, maximum: maxBurst })),
  over: Type.Optional(over)
}, { additionalProperties: false })
const time = Type.Number({ minimum: minTime, maximum: maxTime })
const duration = Type.Union([Type.Number(), Type.String({ maxLength: 64 })])
const none = Type.Null()

/** The fields of the header. */
export const limitFields = {
  limit: Type.Optional(limit),
  expires_at: Type.Optional(time),
  expires_in: Type.Optional(duration),
  expiry_notice: Type.Optional(duration)
}

/** The fields of `ws.control`. */
export const limitControls = {
  limit: Type.Optional(Type.Union([limit, none])),
  expires_at: Type.Optional(Type.Union([time, none])),
  expires_in: Type.Optional(Type.Union([duration, none])),
  expiry_notice: Type.Optional(Type.Union([duration, none]))
}

/** The expected value of each field, for the log. */
export const limitExpectations: Readonly<Record<keyof typeof limitFields, string>> = {
  limit: "an object with messages ('50/s', per s, m or h), bytes ('256KiB/s', in B, KiB, MiB or " +
    `GiB) or both, and perhaps burst (${minBurst} to ${maxBurst} seconds) and over ('pause' or ` +
    "'close')",
  expires_at: `milliseconds since 1970, not seconds: from ${minTime} to ${maxTime}`,
  expires_in: 'milliseconds, or a string of at most 64 characters',
  expiry_notice: 'milliseconds, or a string of at most 64 characters'
}

/** The most that a client may send. */
export interface Limit {
  /** Undefined: any number of them. */
  readonly messages: BucketSize | undefined
  readonly bytes: BucketSize | undefined
  readonly over: Static<typeof over>
}

/** The given fields of a valid value. */
export interface LimitChange extends ExpiryChange {
  /** Null: no limit any more. */
  readonly limit?: Limit | null
}

/**
 * Each field is read once. In `limit` too, a getter may return another value the next time.
 * @returns the fields, which are not checked yet
 */
export function readLimits (
  { limit, expires_at, expires_in, expiry_notice }: Record<string, unknown>
): Record<string, unknown> {
  const copy: unknown = typeof limit === 'object' && limit !== null ? { ...limit } : limit
  return { limit: copy, expires_at, expires_in, expiry_notice }
}

/** @param given matches the schemas */
export function parseLimits (
  { limit, expires_at: at, expires_in: within, expiry_notice: notice }:
  Static<TObject<typeof limitControls>>
): Result<LimitChange> {
  if (at !== undefined && within !== undefined) {
    return failure('expires_in: expected no expires_at beside it')
  }
  const parsed = limit === undefined || limit === null ? success(limit) : parseLimit(limit)
  const span = parseDuration('expires_in', within, maxExpiresIn)
  const before = parseDuration('expiry_notice', notice, maxNotice)
  if (!parsed.ok) return parsed
  if (!span.ok) return span
  if (!before.ok) return before
  const change: { -readonly [K in keyof LimitChange]: LimitChange[K] } = {}
  if (parsed.value !== undefined) change.limit = parsed.value
  if (at === null || span.value === null) change.expires = 'never'
  else if (at !== undefined) change.expires = { at }
  else if (span.value !== undefined) change.expires = { in: span.value }
  if (before.value !== undefined) change.expiryNotice = before.value ?? 0
  return success(change)
}

/** @returns milliseconds; null and undefined as they are */
function parseDuration (
  field: string, value: Duration | null | undefined, max: number
): Result<number | null | undefined> {
  if (value === null || value === undefined) return success(value)
  try {
    return success(Math.round(toMilliseconds(value, minDuration, max)))
  } catch (err) {
    return failure(`${field}: ${toError(err).message}`)
  }
}

function parseLimit (
  { messages, bytes, burst = defaultBurst, over = 'pause' }: Static<typeof limit>
): Result<Limit> {
  if (messages === undefined && bytes === undefined) {
    return failure(`limit: expected ${limitExpectations.limit}`)
  }
  const ofMessages = parseRate('messages', messages, maxMessagesPerSecond, burst)
  const ofBytes = parseRate('bytes', bytes, maxBytesPerSecond, burst)
  if (!ofMessages.ok) return ofMessages
  if (!ofBytes.ok) return ofBytes
  return success({ messages: ofMessages.value, bytes: ofBytes.value, over })
}

const periods: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 }
const units: Readonly<Record<string, number>> = {
  '': 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3
}

/** @param most tokens in a second */
function parseRate (
  field: string, rate: string | undefined, most: number, burst: number
): Result<BucketSize | undefined> {
  if (rate === undefined) return success(undefined)
  const [, number, unit, period] = /^([\d.]+)(\w*)\/(.)$/.exec(rate)!
  const interval = periods[period] / (Number(number) * units[unit])
  // This refuses 0 as well.
  if (interval > periods.h || interval < periods.s / most) {
    return failure(`limit/${field}: expected from 1/h to ${most}/s, got '${rate}'`)
  }
  // A bucket holds one token at least.
  return success({ interval, slack: Math.max(0, burst * 1000 - interval) })
}
