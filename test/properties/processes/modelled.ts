// The model of one process.
import type { AnyMessage } from '../../process/helpers.js'
import type { ExitListener } from '../../../lib/process/exits/relations.js'
import type { Exit } from '../../../types/messages.js'
import type { Monitor, Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'
import type { shapes } from './relation-steps.js'

/** One message fills the mailbox, so that group updates merge. */
export const smallMailbox = 1

export function isOrderly (reason: string): boolean {
  return reason === 'normal' || reason === 'shutdown'
}

export interface Modelled {
  readonly pid: Pid
  readonly shape: typeof shapes[number]
  readonly limit: number
  trap: boolean
  self: Process | undefined
  alive: boolean
  /** The reason it ends with, once it is stopping. */
  stopReason: string | undefined
  cancelled: boolean
  /** It ended by itself after a stop. */
  finished: boolean
  /** The number of messages it had seen when it stopped from inside: it sees no more. */
  stoppedAt: number | undefined
  /** The number of messages it had seen when it ended. */
  endedAt: number
  /** The accepted messages, in order. */
  readonly accepted: AnyMessage[]
  readonly seen: AnyMessage[]
  readonly links: Set<Modelled>
  readonly expectedExits: Map<Monitor, Modelled>
  readonly monitors: Map<Monitor, Modelled>
  linkDowns: number
  /** The members of the groups it watches, by the updates it has seen. */
  readonly views: Map<string, Set<Pid>>
  readonly exits: Exit[]
  endedWith: string | undefined
  readonly watcher: ExitListener
}

/** A process that has just been spawned. `onEnd` gets its exits. */
export function modelled (
  { pid, shape, limit, trap }: Pick<Modelled, 'pid' | 'shape' | 'limit' | 'trap'>,
  onEnd: (exit: Exit) => void
): Modelled {
  return {
    pid,
    shape,
    limit,
    trap,
    self: undefined,
    alive: true,
    stopReason: undefined,
    cancelled: false,
    finished: false,
    stoppedAt: undefined,
    endedAt: Infinity,
    accepted: [],
    seen: [],
    links: new Set(),
    expectedExits: new Map(),
    monitors: new Map(),
    linkDowns: 0,
    views: new Map(),
    exits: [],
    endedWith: undefined,
    watcher: { targetEnded: onEnd }
  }
}

/** The number of a monitor that SpawnOptions created. */
export function spawnMonitor ({ pid }: Modelled): Monitor {
  return -parseInt(pid) as Monitor
}
