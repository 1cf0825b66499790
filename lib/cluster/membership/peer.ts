import { suffixOf } from '../context.js'
import { Channel } from '../link/channel.js'
import type { NodeContext } from '../context.js'
import type { ChannelOwner } from '../link/channel.js'
import type { FrameFields } from '../link/codec.js'
import type { RecordLoss } from '../link/channel-sender.js'
import type { Urgency } from '../link/window.js'
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

  constructor (context: NodeContext, node: string, incarnation: number, owner: ChannelOwner) {
    this.node = node
    this.incarnation = incarnation
    this.suffix = suffixOf(node, incarnation)
    this.channel = new Channel(context, owner)
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
