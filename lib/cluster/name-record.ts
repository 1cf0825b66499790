import { keyOf } from './register.js'
import type { Pid } from '../../types/pid.js'

/** What stands in the register for a name. */
export interface NameRecord {
  readonly pid: Pid
  readonly node: string
  readonly incarnation: number
  readonly fence: number
  /** Of one attempt: an outcome that nobody knew is known when it is read. */
  readonly claim: string
  /** The fence is above that of every holder before: it was seen, or time has passed since we hold the record. */
  readonly sure: boolean
}

export function nameKey (name: string): string {
  return `name.${keyOf(name)}`
}
