import { failure, success } from '../../shared/result.js'
import { isKeyAddress } from '../../process/keyed/address.js'
import { isOrderly } from '../../process/exits/exit-signals.js'
import { isName } from '../../process/registry/names.js'
import type { Result } from '../../shared/result.js'
import type { Exit } from '../../../types/messages.js'

/** Fate of a connection whose target fails. */
export type OnTargetExit = 'close' | 'park'

/** Milliseconds for which a connection waits if `park` is not given. */
export const defaultParkTime = 10_000

/** The name at which a connection waits for a successor of its target, and for how long. */
export interface ParkPolicy {
  /** A name, or the address of a key. Connections of a key always have a policy. */
  readonly name: string
  /** Milliseconds; undefined: what the kind of the key says. 0, for a key only: not at all. */
  readonly time: number | undefined
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
  const name = target ?? policy?.name
  if (isKeyAddress(name)) {
    const kept = target === undefined || onTargetExit !== undefined ? policy?.time : undefined
    return success({ name, time: keyTime(onTargetExit, park, kept) })
  }
  if ((onTargetExit ?? (isParking(policy) ? 'park' : 'close')) === 'close') {
    const isIdle = typeof park === 'number' && onTargetExit === undefined
    return isIdle ? failure("park: expected on_target_exit: 'park' beside it") : success(undefined)
  }
  if (!isName(name)) {
    return failure("on_target_exit: 'park' needs a target_pid that is a name or a key")
  }
  const time = park === undefined ? policy?.time : park
  return success({ name, time: time || defaultParkTime })
}

/** A policy that its kind gave to a connection ends with a transfer to something else. */
function isParking (policy: ParkPolicy | undefined): boolean {
  return policy !== undefined && !isKeyAddress(policy.name)
}

function keyTime (
  onTargetExit: OnTargetExit | undefined, park: number | null | undefined, kept: number | undefined
): number | undefined {
  if (onTargetExit === 'close') return 0
  if (park === undefined) return onTargetExit === undefined ? kept : kept || defaultParkTime
  return park ?? undefined
}

/**
 * Whether a connection waits for a successor after an exit of its target. A client that nobody has
 * joined yet waits for the next process of a key also when the target has ended in order.
 */
export function mayPark ({ name, time }: ParkPolicy, { reason }: Exit, tookJoin: boolean): boolean {
  if (!isOrderly(reason)) return time !== 0
  return reason === 'normal' && !tookJoin && isKeyAddress(name)
}
