import { Problems } from '../rig/problems.js'
import type { WsJoin } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { RelayConfig } from '../../../types/relay.js'

/** The targets of one path. */
export interface Stage {
  readonly tally: Tally
  targetFor (client: number): Pid
  /** Further settings of its connections. */
  readonly relay: Omit<RelayConfig, 'target_pid' | 'metadata'>
}

/** Counts of the messages that the targets of a stage received. */
export class Tally {
  joins = 0
  leaves = 0
  /** `@exit` of monitored connections. */
  exits = 0
  /** `@link_down` of linked connections. */
  linksDown = 0
  messages = 0
  beats = 0
  /** Leaves by cause. */
  readonly causes: Record<string, number> = {}
  readonly problems = new Problems()

  left (cause: string): void {
    this.leaves++
    this.causes[cause] = (this.causes[cause] ?? 0) + 1
  }
}

/** The number of a client, which the handler has put into the metadata. */
export function clientOf ({ metadata }: Pick<WsJoin, 'metadata'>): number {
  return metadata.client as number
}
