import { serialOf } from '../context.js'
import { encodeChannelHeader } from '../link/codec.js'
import { Peer } from './peer.js'
import type { NodeContext } from '../context.js'
import type { Channel } from '../link/channel.js'
import type { Frame } from '../link/codec.js'
import type { EngineLink } from '../link/engine-link.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** Called when a node comes up or goes down. */
export type NodeListener = (node: string, state: 'up' | 'down') => void

/** The parts of the node that handle the frames of its peers. */
export interface PeerEvents {
  /** Called with each received frame, in order. @returns false if the frame is garbage */
  handleFrame (peer: Peer, frame: Frame): boolean
  /** Called when a node comes up, and when the connection to it is back. */
  peerReady (peer: Peer): void
  peerDown (peer: Peer): void
  channelReset (peer: Peer): void
}

/** The way from a PID to its node, for code that sends frames. */
export type PeerLookup = Pick<Peers, 'ofPid' | 'recordUnreachable' | 'exitReasonFor'>

/** Milliseconds between two log lines about refused messages to one node. */
const reportEvery = 1000

/** The highest serial number that a frame can hold. No process has a higher one. */
const lastSerial = 2 ** 48 - 1

/** The other nodes: the last incarnation of each, and the channel to it. */
export class Peers {
  readonly #context: NodeContext
  readonly #engineLink: Pick<EngineLink, 'publish' | 'inboxTopic' | 'silenced'>
  readonly #events: PeerEvents
  readonly #peers = new Map<string, Peer>()
  /** By the part of their PIDs after the serial number. */
  readonly #bySuffix = new Map<string, Peer>()
  readonly #listeners = new Set<NodeListener>()
  /** Channels that are flushed at the end of this turn. */
  readonly #dirty = new Set<Channel>()

  constructor (
    context: NodeContext,
    engineLink: Pick<EngineLink, 'publish' | 'inboxTopic' | 'silenced'>,
    events: PeerEvents
  ) {
    this.#context = context
    this.#engineLink = engineLink
    this.#events = events
  }

  /** Number of records of all channels, for tests that look for leaks. */
  get size (): number {
    let size = this.#dirty.size
    for (const { channel } of this.#peers.values()) size += channel.size
    return size
  }

  get upPeers (): Peer[] {
    return [...this.#peers.values()].filter(({ up }) => up)
  }

  get unacknowledged (): number {
    let frames = 0
    for (const { channel } of this.#peers.values()) frames += channel.unacknowledged
    return frames
  }

  ofNode (node: string): Peer | undefined {
    return this.#peers.get(node)
  }

  /** The node of a PID, if it is up. */
  ofPid (pid: Pid): Peer | undefined {
    const peer = this.#bySuffix.get(pid.slice(pid.indexOf('@')))
    return peer?.up === true && serialOf(pid) <= lastSerial ? peer : undefined
  }

  /** Records a message that cannot be sent because the node of its receiver is down. */
  recordUnreachable (pid: Pid): void {
    const peer = this.#bySuffix.get(pid.slice(pid.indexOf('@')))
    const serial = serialOf(pid)
    if (peer !== undefined && serial <= lastSerial) peer.recordRefusal(serial)
  }

  /**
   * The exit reason of a PID that cannot be reached: `noproc` if its node is up with this or a
   * later incarnation, otherwise `noconnection`.
   */
  exitReasonFor (pid: Pid): Exit['reason'] {
    const [node, incarnation] = pid.slice(pid.indexOf('@') + 1).split('.')
    const peer = this.#peers.get(node)
    const isUp = peer?.up === true && peer.incarnation >= parseInt(incarnation, 36)
    return isUp ? 'noproc' : 'noconnection'
  }

  /** The number of refused messages, by node. */
  get refusedByNode (): Record<string, number> {
    const peers = this.#peers.values()
    return Object.fromEntries(Array.from(peers, (peer) => [peer.node, peer.refusedMessages]))
  }

  // Coming and going

  nodeUp (node: string, incarnation: number): void {
    const { counters, logger } = this.#context
    let peer = this.#peers.get(node)
    if (peer === undefined) {
      peer = this.#make(node, incarnation)
      this.#peers.set(node, peer)
      this.#bySuffix.set(peer.suffix, peer)
    }
    peer.up = true
    logger.info({ relayNode: node, incarnation }, 'cluster: a node is up')
    counters.nodeUp(node, incarnation)
    this.#notifyListeners(node, 'up')
    this.#events.peerReady(peer)
    // Messages that it missed while it was down are reported before any other frame.
    if (peer.channel.missedMessages.hasAny) this.#scheduleFlush(peer.channel)
  }

  #make (node: string, incarnation: number): Peer {
    const engineLink = this.#engineLink
    const peer: Peer = new Peer(this.#context, node, incarnation, {
      node,
      publishBatch: (type, header, parts) => {
        const topic = engineLink.inboxTopic(node, incarnation)
        return engineLink.publish(topic, { type }, [encodeChannelHeader(header), ...parts])
      },
      scheduleFlush: (channel) => { if (peer.up) this.#scheduleFlush(channel) },
      handleFrame: (frame) => this.#events.handleFrame(peer, frame),
      channelReset: (why) => {
        if (peer.up) {
          this.#context.logger.warn({ relayNode: node, why }, 'cluster: a channel was torn down')
        }
        this.#events.channelReset(peer)
      }
    })
    return peer
  }

  nodeDown (node: string, incarnation: number, why: string): void {
    const peer = this.#peers.get(node)!
    peer.up = false
    if (!this.#engineLink.silenced) {
      const about = { relayNode: node, incarnation, why }
      this.#context.logger.warn(about, 'cluster: a node is down')
    }
    // First the node is reported as down, then the end of its processes.
    this.#context.counters.nodeDown(node, incarnation, why)
    this.#notifyListeners(node, 'down')
    this.#events.peerDown(peer)
    peer.channel.reset(why)
    this.#dirty.delete(peer.channel)
  }

  /** Called when a node that is down cannot come back in this incarnation. */
  forgetNode (node: string): void {
    const peer = this.#peers.get(node)!
    this.#peers.delete(node)
    this.#bySuffix.delete(peer.suffix)
  }

  /** @returns a function that removes the listener */
  addListener (listener: NodeListener): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  #notifyListeners (node: string, state: 'up' | 'down'): void {
    for (const listener of [...this.#listeners]) {
      this.#context.guard(() => { listener(node, state) })
    }
  }

  // Their channels

  #scheduleFlush (channel: Channel): void {
    if (this.#dirty.size === 0) this.#context.later(this.flush)
    this.#dirty.add(channel)
  }

  /** Publishes the frames that were accepted in this turn. */
  readonly flush = (): void => {
    const channels = [...this.#dirty]
    this.#dirty.clear()
    for (const channel of channels) channel.flush()
  }

  /** Called periodically: has the channels resend and ping, and logs refused messages. */
  tick (now: number): void {
    for (const peer of this.#peers.values()) {
      if (!peer.up) continue
      peer.channel.tick(now)
      this.#logRefusals(peer, now)
    }
  }

  /** Logs the refused messages of a node, once a second at most. */
  #logRefusals (peer: Peer, now: number): void {
    const refused = peer.refusedMessages - peer.reportedRefusals
    if (refused === 0 || now - peer.reportedAt < reportEvery) return
    peer.reportedRefusals = peer.refusedMessages
    peer.reportedAt = now
    const { unacknowledged } = peer.channel
    this.#context.logger.warn(
      { relayNode: peer.node, refused, unacknowledged },
      'cluster: refused messages to a node that is too slow'
    )
  }

  /** Called when this node is connected to the engine again: published frames may be lost. */
  engineReconnected (): void {
    for (const peer of this.upPeers) this.#resume(peer)
  }

  /** Called when a node that stayed up is connected to the engine again: frames may be lost. */
  nodeReturned (node: string): void {
    this.#resume(this.#peers.get(node)!)
  }

  #resume (peer: Peer): void {
    peer.channel.resendAll()
    this.#events.peerReady(peer)
  }

  clear (): void {
    this.#peers.clear()
    this.#bySuffix.clear()
    this.#dirty.clear()
  }
}
