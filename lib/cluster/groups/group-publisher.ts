import { batchTypes, encodeFrame, encodeSource } from '../link/codec.js'
import { frameTypes } from '../link/frame-types.js'
import { serialOf } from '../context.js'
import { groupTopic } from './group.js'
import type { FrameFields } from '../link/codec.js'
import type { Group } from './group.js'
import type { NodeContext } from '../context.js'
import type { EngineLink } from '../link/engine-link.js'
import type { Peers } from '../membership/peers.js'
import type { Pid } from '../../../types/pid.js'

/** Sends the frames of groups to other nodes: by the topic of the group, or else by channels. */
export class GroupPublisher {
  readonly #context: NodeContext
  readonly #engineLink: Pick<EngineLink, 'up'>
  readonly #peers: Pick<Peers, 'upPeers'>

  constructor (
    context: NodeContext, engineLink: Pick<EngineLink, 'up'>, peers: Pick<Peers, 'upPeers'>
  ) {
    this.#context = context
    this.#engineLink = engineLink
    this.#peers = peers
  }

  /**
   * Publishes a broadcast. If that fails, or if the broadcast would overtake frames that wait in a
   * channel, sends it to each node by its channel instead.
   *
   * @returns whether it was accepted for every node that is up
   */
  broadcast (
    group: string, except: string, fields: FrameFields, relayed: FrameFields
  ): boolean {
    if (!this.#engineLink.up) return false
    const peers = this.#peers.upPeers
    const frames = except === '' ? [fields] : [{ type: frameTypes.except, text: except }, fields]
    const isFlushed = peers.every(({ channel }) => channel.isFlushed)
    if (isFlushed && this.#publish(groupTopic(group, this.#context.prefix), frames)) return true
    const accepted = peers.map((peer) => peer.sendBroadcast(relayed, group, except))
    return !accepted.includes(false)
  }

  /** Announces on all nodes that a process of this one has joined or left. */
  announce (group: Group, type: number, pid: Pid): void {
    const from = serialOf(pid)
    if (this.#publish(group.topic, [{ type, from }]) || !this.#engineLink.up) return
    for (const peer of this.#peers.upPeers) peer.sendFrame({ type, from, text: group.name })
  }

  #publish (topic: string, frames: readonly FrameFields[]): boolean {
    const { node, incarnation, transport } = this.#context
    const source = encodeSource({ type: batchTypes.broadcast, node, incarnation })
    const bytes = Buffer.concat([source, ...frames.map((frame) => encodeFrame(frame, 0))])
    return bytes.length <= transport.caps.maxFrame && transport.publish(topic, bytes)
  }
}

/**
 * The frame of a broadcast that is sent by the channels. Its header separates two values by a line
 * break, because no group name contains one.
 */
export function relayedBroadcast (group: string, except: string, fields: FrameFields): FrameFields {
  const header = Buffer.from(`${except}\n${group}`)
  const body = Buffer.concat([header, fields.body!])
  return { ...fields, type: frameTypes.relayedBroadcast, ref: header.length, body }
}

/** @returns the member that is left out (empty: none) and the name of the group */
export function splitRelayedHeader (header: Uint8Array): string[] {
  return header.toString().split('\n')
}
