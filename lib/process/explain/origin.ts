import type { ProcessEndCause } from '../../../types/explain.js'
import type { Pid } from '../../../types/pid.js'

/** How a process came to its end, beyond its exit reason. */
export interface EndOrigin {
  readonly cause: ProcessEndCause
  /** The process whose end led to this one. */
  readonly because?: Pid
  /** The process that asked for it. */
  readonly by?: Pid
}

export const returned: EndOrigin = { cause: 'returned' }
export const failed: EndOrigin = { cause: 'failed' }
export const stopped: EndOrigin = { cause: 'stopped' }

/**
 * The origin of an end by `exit`.
 * @param reason as it was given: `killed` is a reason as any other one, in contrast to `kill`
 * @param by undefined for code outside a process
 */
export function exitedBy (reason: string, by: Pid | undefined): EndOrigin {
  return { cause: reason === 'kill' ? 'killed' : 'exit', by }
}
