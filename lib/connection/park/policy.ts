import { failure, success } from '../../shared/result.js'
import { isName } from '../../process/registry/names.js'
import type { Result } from '../../shared/result.js'

/** Fate of a connection whose target fails. */
export type OnTargetExit = 'close' | 'park'

/** Milliseconds for which a connection waits if `park` is not given. */
export const defaultParkTime = 10_000

/** The name at which a connection waits for a successor of its target, and for how long. */
export interface ParkPolicy {
  readonly name: string
  /** Milliseconds. */
  readonly time: number
}

/** The fields of the header, or of a `ws.control`, that decide whether a connection parks. */
export interface ParkChange {
  readonly onTargetExit?: OnTargetExit
  /** Milliseconds; null: the default. */
  readonly park?: number | null
}

/**
 * The policy after a change.
 * @param target the new target, as it was given; undefined if the target stays
 * @param policy undefined if the connection ends with its target until now
 */
export function policyAfter (
  { onTargetExit, park }: ParkChange, target: string | undefined, policy?: ParkPolicy
): Result<ParkPolicy | undefined> {
  if ((onTargetExit ?? (policy === undefined ? 'close' : 'park')) === 'close') {
    const isIdle = typeof park === 'number' && onTargetExit === undefined
    return isIdle ? failure("park: expected on_target_exit: 'park' beside it") : success(undefined)
  }
  const name = target ?? policy?.name
  if (!isName(name)) {
    return failure("on_target_exit: 'park' needs a target_pid that is a registered name")
  }
  const time = park === undefined ? policy?.time : park
  return success({ name, time: time ?? defaultParkTime })
}
