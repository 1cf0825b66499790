import { Channel } from '../link/channel.js'
import type { ChannelHost } from '../link/channel.js'
import type { FrameFields } from '../link/codec.js'
import type { Unsendable } from '../values/unsendable.js'
import type { LocalNode } from '../../process/remote-nodes.js'
import type { RecordLoss } from '../link/channel-sender.js'
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
  refusedMessages = 0
  /** How many of them the log knows of, and since when. */
  reportedRefusals = 0
  reportedAt = -Infinity
  /** The receivers of the last message to many. */
  lastReceivers: readonly Pid[] | undefined

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
  sendFrame (fields: FrameFields, urgency: Urgency = 'system', lost?: RecordLoss): boolean {
    return this.up && this.channel.sendFrame(fields, urgency, lost)
  }

  /**
   * Adds a receiver to a message of this turn, where that has the same text for a client.
   * @returns whether there is such a message
   */
  joinMessage (to: number, from: number, payload: unknown): boolean {
    return this.channel.joinText(to, from, payload)
  }

  /** Takes a message. @param payload of which the body was made */
  sendMessage (fields: FrameFields, payload: unknown): boolean {
    return this.channel.sendMessage(fields, payload) || this.recordRefusal(fields.to!)
  }

  /** Takes a message that waits in the reserve of a full window: a call, or what changes or ends a connection. */
  sendUrgent (fields: FrameFields): boolean {
    return this.channel.sendFrame(fields, 'call') || this.recordRefusal(fields.to!)
  }

  /** A message is refused, or its node is down: a connection among its receivers misses it. */
  recordRefusal (to: number): false {
    return this.#refused((misses) => { misses.addReceiver(to) })
  }

  /** Takes a broadcast that could not be published. @param except the member that is left out; empty: none */
  sendBroadcast (fields: FrameFields, group: string, except: string): boolean {
    const lost: RecordLoss = (misses) => { misses.addBroadcast(group, except) }
    return this.sendFrame(fields, 'message', lost) || this.#refused(lost)
  }

  #refused (record: RecordLoss): false {
    this.refusedMessages++
    this.channel.recordMissed(record)
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
