import { Channel } from '../link/channel.js'
import type { ChannelHost } from '../link/channel.js'
import type { FrameFields } from '../link/codec.js'
import type { Unsendable } from '../values/unsendable.js'
import type { LocalNode } from '../../process/remote-nodes.js'
import type { Lost } from '../link/channel-sender.js'
import type { Urgency } from '../link/window.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

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
  /** Messages that were refused, since the start. */
  refusals = 0
  /** How many of them the log knows of, and since when. */
  reported = 0
  reportedAt = -Infinity
  /** The receivers of the last message to many. */
  receivers: readonly Pid[] | undefined

  constructor (node: string, incarnation: number, host: ChannelHost) {
    this.node = node
    this.incarnation = incarnation
    this.suffix = suffixOf(node, incarnation)
    this.channel = new Channel(host)
  }

  pid (serial: number): Pid {
    return `${serial}${this.suffix}` as Pid
  }

  /** Takes a frame other than a message to a process or connection. */
  push (fields: FrameFields, urgency: Urgency = 'system', lost?: Lost): boolean {
    return this.up && this.channel.push(fields, urgency, lost)
  }

  /**
   * Adds a receiver to a message of this turn, where that has the same text for a client.
   * @returns whether there is such a message
   */
  join (to: number, from: number, payload: unknown): boolean {
    return this.channel.joinText(to, from, payload)
  }

  /** Takes a message. @param payload of which the body was made */
  send (fields: FrameFields, payload: unknown): boolean {
    return this.channel.send(fields, payload) || this.refused(fields.to!)
  }

  /** Takes a message that waits in the reserve of a full window: a call, or what changes or ends a connection. */
  call (fields: FrameFields): boolean {
    return this.channel.push(fields, 'call') || this.refused(fields.to!)
  }

  /** A message is refused, or its node is down: a connection among its receivers misses it. */
  refused (to: number): false {
    return this.#refused((misses) => { misses.add(to) })
  }

  /** Takes a broadcast that could not be published. @param except the member that is left out; empty: none */
  relay (fields: FrameFields, group: string, except: string): boolean {
    const lost: Lost = (misses) => { misses.addBroadcast(group, except) }
    return this.push(fields, 'message', lost) || this.#refused(lost)
  }

  #refused (record: Lost): false {
    this.refusals++
    this.channel.missed(record)
    return false
  }
}

/** What those who speak with other nodes need of theirs. */
export interface NodeContext {
  readonly local: LocalNode
  /** The node of a PID, if frames are taken for it. */
  peerOf (pid: Pid): Peer | undefined
  /** A message that cannot be sent because the node of its receiver is down. */
  recordUnreachable (pid: Pid): void
  /** Why there is nobody behind a PID whose node takes no frames. */
  exitReasonFor (pid: Pid): Exit['reason']
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
