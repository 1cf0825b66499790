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
  /** The part of its PIDs after the serial number. */
  readonly suffix: string
  readonly channel: Channel
  /** Whether frames can be sent to it. */
  up = false
  /** Whether it has announced that it is closing. */
  closing = false
  /** Messages to it that were refused, since it was first seen. */
  refusedMessages = 0
  /** How many of them were logged, and when that was. */
  reportedRefusals = 0
  reportedAt = -Infinity
  /** The receivers of the last `sendMany` frame that came from it. */
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

  /** Sends a frame that is no message. @returns false if it is refused, or the node is down */
  sendFrame (fields: FrameFields, urgency: Urgency = 'system', recordLoss?: RecordLoss): boolean {
    return this.up && this.channel.sendFrame(fields, urgency, recordLoss)
  }

  /**
   * Adds a receiver to a message of this turn that has the same text for a client.
   * @returns false if there is no such message
   */
  joinMessage (to: number, from: number, payload: unknown): boolean {
    return this.channel.joinText(to, from, payload)
  }

  /**
   * Sends a message to a process or connection.
   * @param payload the payload before it was encoded
   * @returns false if it is refused
   */
  sendMessage (fields: FrameFields, payload: unknown): boolean {
    return this.channel.sendMessage(fields, payload) || this.recordRefusal(fields.to!)
  }

  /**
   * Sends a call, or a message that changes or ends a connection. It may use the reserve of a full
   * window.
   * @returns false if it is refused
   */
  sendUrgent (fields: FrameFields): boolean {
    return this.channel.sendFrame(fields, 'call') || this.recordRefusal(fields.to!)
  }

  /** Counts a message that is not sent, and records that its receiver misses it. */
  recordRefusal (to: number): false {
    return this.#refused((missed) => { missed.addReceiver(to) })
  }

  /**
   * Sends a broadcast that could not be published.
   * @param except the excluded member, or empty
   * @returns false if it is refused
   */
  sendBroadcast (fields: FrameFields, group: string, except: string): boolean {
    const recordLoss: RecordLoss = (missed) => { missed.addBroadcast(group, except) }
    return this.sendFrame(fields, 'message', recordLoss) || this.#refused(recordLoss)
  }

  #refused (record: RecordLoss): false {
    this.refusedMessages++
    this.channel.recordMissed(record)
    return false
  }
}

/** The parts of this node that the code for remote processes and groups uses. */
export interface NodeContext {
  readonly local: LocalNode
  /** The node of a PID, if it is up. */
  peerOf (pid: Pid): Peer | undefined
  /** Records a message that cannot be sent because the node of its receiver is down. */
  recordUnreachable (pid: Pid): void
  /**
   * The exit reason of a PID that cannot be reached: `noproc` if its node is up with this or a
   * later incarnation, otherwise `noconnection`.
   */
  exitReasonFor (pid: Pid): Exit['reason']
  /** Makes a PID of this node. */
  pid (serial: number): Pid
  nextRef (): number
  /**
   * Logs why a value does not cross.
   * @param about what it was, and whose
   * @returns the error for who waits for it
   */
  unsendable (problem: Unsendable, about: Readonly<Record<string, unknown>>): Error
  /** Runs a callback, and logs what it throws. */
  guard (task: () => void): void
}

/** The part of a PID after its serial number. */
export function suffixOf (node: string, incarnation: number): string {
  return `@${node}.${incarnation.toString(36)}`
}

/** The serial number of a PID; 0 without one. */
export function serialOf (pid: Pid | undefined): number {
  return pid === undefined ? 0 : Number(pid.slice(0, pid.indexOf('@')))
}
