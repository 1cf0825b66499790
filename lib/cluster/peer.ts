import { Channel } from './channel.js'
import type { ChannelHost } from './channel.js'
import type { FrameFields } from './codec.js'
import type { Unsendable } from './unsendable.js'
import type { Here } from '../process/elsewhere.js'
import type { Exit } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'

/** One incarnation of another node, and the channel to it. */
export class Peer {
  readonly node: string
  readonly incarnation: number
  /** The end of its PIDs. */
  readonly suffix: string
  readonly channel: Channel
  /** Frames are taken for it. */
  up = false
  /** It has said that it is closing. */
  closing = false

  constructor (node: string, incarnation: number, host: ChannelHost) {
    this.node = node
    this.incarnation = incarnation
    this.suffix = suffixOf(node, incarnation)
    this.channel = new Channel(host)
  }

  pid (serial: number): Pid {
    return `${serial}${this.suffix}` as Pid
  }

  /** @param refusable false for what the system itself has to say */
  push (fields: FrameFields, refusable = false): boolean {
    return this.up && this.channel.push(fields, refusable)
  }
}

/** What those who speak with other nodes need of theirs. */
export interface Hub {
  readonly here: Here
  /** The node of a PID, if frames are taken for it. */
  peerOf (pid: Pid): Peer | undefined
  /** Why there is nobody behind a PID whose node takes no frames. */
  absence (pid: Pid): Exit['reason']
  /** A PID of this node. */
  pid (serial: number): Pid
  nextRef (): number
  /** Logs why a value does not cross. @param about what it was, and whose @returns the error for who waits for it */
  unsendable (problem: Unsendable, about: Readonly<Record<string, unknown>>): Error
  /** Runs what belongs to others: its failure is logged, and stops nothing here. */
  guard (task: () => void): void
}

/** The part of a PID behind its serial number. */
export function suffixOf (node: string, incarnation: number): string {
  return `@${node}.${incarnation.toString(36)}`
}

/** The number before the node. */
export function serialOf (pid: Pid | undefined): number {
  return pid === undefined ? 0 : Number(pid.slice(0, pid.indexOf('@')))
}
