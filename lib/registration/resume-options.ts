import { Type } from '@sinclair/typebox'
import { minWindow } from '../connection/config.js'
import { errorCodes } from '../errors.js'
import { toMilliseconds } from '../shared/duration.js'
import { defaultsOf, duration, flag, integer, optionsCheck } from '../shared/options.js'
import type { Option } from '../shared/options.js'
import type { SessionPolicy } from '../session/session-host.js'
import type { Overflow, RelayRouteOptions, ResumeOptions } from '../../types/relay.js'

const hour = 60 * 60 * 1000
/** Messages that are kept of those that the kernel has taken and the client not acknowledged. */
const bufferFrames = 4096

/** The fields of the option `resume`. */
export const resumeOptions = {
  window: duration('60s', minWindow, undefined, hour),
  buffer: integer(256 * 1024, 'bytes', 0),
  owner: {
    schema: Type.Function([], Type.Unknown()),
    default: undefined,
    expected: 'a function'
  },
  notify: flag(false)
} satisfies Record<keyof ResumeOptions, Option>

const checkResumeOptions = optionsCheck(
  resumeOptions,
  (problem, cause) => new errorCodes.FST_WS_RELAY_INVALID_OPTIONS(problem, { cause }),
  { owner: "'resume'", prefix: 'resume.' }
)

const defaults = defaultsOf(resumeOptions)

/** The option `resume` of a route that allows it. */
export interface ResumeSettings {
  readonly policy: SessionPolicy
  readonly owner: ResumeOptions['owner']
}

/** The terms of clients that count messages on a route that does not allow to resume. */
export const noResume: SessionPolicy = {
  window: 0, buffer: { bytes: 0, frames: 0 }, overflow: 'close', notify: false
}

/**
 * @param given the option as it was given; undefined: the value of the scope holds
 * @throws `FST_WS_RELAY_INVALID_OPTIONS`
 */
export function resumeSettings (
  given: RelayRouteOptions['resume'], scope: ResumeSettings | false, overflow: Overflow
): ResumeSettings | false {
  if (given === undefined) return scope && { ...scope, policy: { ...scope.policy, overflow } }
  if (given === false) return false
  const options = given === true ? {} : given
  checkResumeOptions(options)
  const complete: ResumeOptions = { ...defaults, ...withoutAbsent(options) }
  const { window, buffer, notify, owner } = complete
  const policy = {
    window: toMilliseconds(window!),
    buffer: { bytes: buffer!, frames: bufferFrames },
    overflow,
    notify: notify!
  }
  return { policy, owner }
}

function withoutAbsent (options: ResumeOptions): ResumeOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
