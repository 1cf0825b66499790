import { encodeKey } from '../register.js'
import type { ParsedEntry } from '../register.js'
import type { Pid } from '../../../types/pid.js'

/** What stands in the register for a name. */
export interface NameRecord {
  readonly pid: Pid
  readonly node: string
  readonly incarnation: number
  /** Of the generation in which the name was granted: with the revision of the record it is the fence. */
  readonly base: number
  /** The fence itself, in a record that was written again after the register lost its data. */
  readonly fence?: number
  /** Identifies one attempt: a write of unknown outcome is recognized when it is read. */
  readonly claim: string
}

export function nameKey (name: string): string {
  return `name.${encodeKey(name)}`
}

/**
 * The fence of a holder. Revisions come from the register's own counter, which rises with every write, so that a later
 * holder has a higher one, whatever the clocks of the nodes say.
 */
export function fenceOf ({ value: { base, fence }, revision }: ParsedEntry<NameRecord>): number {
  return fence ?? base + revision
}
