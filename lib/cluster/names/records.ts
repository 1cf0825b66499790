import { encodeKey } from '../register.js'
import type { ParsedEntry } from '../register.js'
import type { Pid } from '../../../types/pid.js'

// The records that names keep in the engine's register. They are stored as JSON: nodes of other
// versions read them, so the names of the properties must not change.

/** Stands under {@link nameKey} while a process has the name. */
export interface NameRecord {
  readonly pid: Pid
  readonly node: string
  readonly incarnation: number
  /** Base of the generation in which the name was granted. See {@link fenceOf}. */
  readonly base: number
  /** The fence itself, in a record that was written again after the register lost its data. */
  readonly fence?: number
  /**
   * Identifies one call of `register`. If the outcome of a write is unknown, the call recognizes
   * its own record by it.
   */
  readonly claim: string
}

/** Stands under {@link leaseKey}, one for each node that holds or held names. */
export interface LeaseRecord {
  readonly incarnation: number
  /** Counts renewals. */
  readonly beat: number
  /** Another node has broken the lease: every name held under it is free. */
  readonly broken: boolean
}

/** Stands under {@link generationKey}. A register without it is new, or has lost its data. */
export interface Generation {
  readonly id: string
  /** The grace period is over: every lease from before this generation has expired. */
  readonly settled: boolean
  /** Added to a revision to make a fence. It is above all known fences of earlier generations. */
  readonly base: number
}

export const generationKey = 'generation'

export function leaseKey (node: string): string {
  return `lease.${node}`
}

export function nameKey (name: string): string {
  return `name.${encodeKey(name)}`
}

/** Whether a record was written by this incarnation of this node. */
export function isOwnRecord (
  { node, incarnation }: NameRecord, own: Pick<NameRecord, 'node' | 'incarnation'>
): boolean {
  return node === own.node && incarnation === own.incarnation
}

/**
 * The fence of a holder. The register counts its writes in one counter, so a later holder has a
 * higher revision, whatever the clocks of the nodes say.
 */
export function fenceOf ({ value: { base, fence }, revision }: ParsedEntry<NameRecord>): number {
  return fence ?? base + revision
}
