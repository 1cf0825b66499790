import type { NameRecord } from './records.js'
import type { NamesInUse } from './unconfirmed-names.js'
import type { ExitListener } from '../../process/exits/relations.js'

/** A name that a process of this node has. */
export interface HeldName {
  readonly record: NameRecord
  readonly fence: number
  revision: number
  readonly listener: ExitListener
}

/** The names that processes of this node have, or are acquiring. It is a table, and asks nobody. */
export class HeldNames implements NamesInUse {
  readonly held = new Map<string, HeldName>()
  /** Each promise resolves when the call of `register` has its result. It never rejects. */
  readonly acquiring = new Map<string, Promise<unknown>>()

  get size (): number {
    return this.held.size + this.acquiring.size
  }

  isHeld (name: string): boolean {
    return this.held.has(name)
  }

  isBeingAcquired (name: string): boolean {
    return this.acquiring.has(name)
  }
}
