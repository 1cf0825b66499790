import { Problems } from '../rig/problems.js'
import type { WsJoin } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { RelayConfig } from '../../../types/relay.js'

/** What clients meet on one path. */
export interface Stage {
  readonly tally: Tally
  targetFor (client: number): Pid
  /** What its connections get besides. */
  readonly relay: Omit<RelayConfig, 'target_pid' | 'metadata'>
}

/** What the targets of a stage were told. */
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

/** The number of a client: the handler has put it there. */
export function clientOf ({ metadata }: Pick<WsJoin, 'metadata'>): number {
  return metadata.client as number
}
