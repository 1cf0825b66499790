import { encodeChannelHeader, maxHeaderBytes } from '../link/codec.js'
import { Peer, serialOf } from './peer.js'
import type { Channel } from '../link/channel.js'
import type { Clock } from '../../shared/clock.js'
import type { Frame } from '../link/codec.js'
import type { EngineLink } from '../link/engine-link.js'
import type { Timing } from '../timing.js'
import type { ClusterStats, Transport } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'
import type { Logger } from '../../../types/processes.js'

/** Told when a node comes or goes. */
export type NodeListener = (node: string, state: 'up' | 'down') => void

/** What has to do with single nodes. */
export interface PeersHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly counters: ClusterStats
  readonly logger: Logger
  readonly transport: Transport
  readonly engineLink: EngineLink
  /** This node leaves: that the others are down for it is no news for the log. */
  readonly leaving: boolean
  /** A frame in its order. @returns false when it is garbage */
  handleFrame (peer: Peer, frame: Frame): boolean
  /** A node is there, or the engine is again. */
  peerReady (peer: Peer): void
  peerDown (peer: Peer): void
  channelReset (peer: Peer): void
  guard (task: () => void): void
}

/** Milliseconds between two lines in the log about one node that refuses messages. */
const reportEvery = 1000

/** No process has a serial that a frame cannot hold. */
const lastSerial = 2 ** 48 - 1

/** The other nodes, the last incarnation of each, with the channels to them. */
export class Peers {
  readonly #host: PeersHost
  readonly #peers = new Map<string, Peer>()
  /** By the end of their PIDs. */
  readonly #bySuffix = new Map<string, Peer>()
  readonly #listeners = new Set<NodeListener>()
  /** What is to be sent when this turn is done. */
  readonly #dirty = new Set<Channel>()

  constructor (host: PeersHost) {
    this.#host = host
  }

  /** Channels with something to send, and what they keep beside their frames. */
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

  /** The node of a PID, if frames are taken for it. */
  ofPid (pid: Pid): Peer | undefined {
    const peer = this.#bySuffix.get(pid.slice(pid.indexOf('@')))
    return peer?.up === true && serialOf(pid) <= lastSerial ? peer : undefined
  }

  /** A message that cannot be sent because the node of its receiver is down. */
  recordUnreachable (pid: Pid): void {
    const peer = this.#bySuffix.get(pid.slice(pid.indexOf('@')))
    const serial = serialOf(pid)
    if (peer !== undefined && serial <= lastSerial) peer.recordRefusal(serial)
  }

  /** Messages that were refused, by node. */
  get refusedByNode (): Record<string, number> {
    return Object.fromEntries(Array.from(this.#peers.values(), ({ node, refusedMessages: refusals }) => [node, refusals]))
  }

  // Coming and going

  nodeUp (node: string, incarnation: number): void {
    const { logger } = this.#host
    let peer = this.#peers.get(node)
    if (peer === undefined) {
      peer = this.#make(node, incarnation)
      this.#peers.set(node, peer)
      this.#bySuffix.set(peer.suffix, peer)
    }
    peer.up = true
    logger.info({ relayNode: node, incarnation }, 'cluster: a node is up')
    this.#notifyListeners(node, 'up')
    this.#host.peerReady(peer)
    // What it missed meanwhile comes before anything else.
    if (peer.channel.missedMessages.hasAny) this.#scheduleFlush(peer.channel)
  }

  #make (node: string, incarnation: number): Peer {
    const { clock, timing, counters, transport, engineLink } = this.#host
    const peer: Peer = new Peer(node, incarnation, {
      clock,
      timing,
      counters,
      batchBytes: transport.caps.maxFrame - maxHeaderBytes,
      publishBatch: (type, header, parts) => engineLink.publish(engineLink.inboxTopic(node, incarnation), { type }, [encodeChannelHeader(header), ...parts]),
      scheduleFlush: (channel) => { if (peer.up) this.#scheduleFlush(channel) },
      handleFrame: (frame) => this.#host.handleFrame(peer, frame),
      channelReset: (why) => {
        if (peer.up) this.#host.logger.warn({ relayNode: node, why }, 'cluster: a channel was torn down')
        this.#host.channelReset(peer)
      }
    })
    return peer
  }

  nodeDown (node: string, incarnation: number, why: string): void {
    const peer = this.#peers.get(node)!
    peer.up = false
    if (!this.#host.leaving) this.#host.logger.warn({ relayNode: node, incarnation, why }, 'cluster: a node is down')
    // First the node, then those who lived there.
    this.#notifyListeners(node, 'down')
    this.#host.peerDown(peer)
    peer.channel.reset(why)
    this.#dirty.delete(peer.channel)
  }

  /** It is down, and will not be heard of again. */
  forgetNode (node: string): void {
    const peer = this.#peers.get(node)!
    this.#peers.delete(node)
    this.#bySuffix.delete(peer.suffix)
  }

  /** @returns what ends it */
  addListener (listener: NodeListener): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  #notifyListeners (node: string, state: 'up' | 'down'): void {
    for (const listener of [...this.#listeners]) this.#host.guard(() => { listener(node, state) })
  }

  // Their channels

  #scheduleFlush (channel: Channel): void {
    if (this.#dirty.size === 0) this.#host.clock.soon(this.flush)
    this.#dirty.add(channel)
  }

  /** Sends what was taken in this turn. */
  readonly flush = (): void => {
    const channels = [...this.#dirty]
    this.#dirty.clear()
    for (const channel of channels) channel.flush()
  }

  /** Looks at the time. */
  tick (now: number): void {
    for (const peer of this.#peers.values()) {
      if (!peer.up) continue
      peer.channel.tick(now)
      this.#logRefusals(peer, now)
    }
  }

  /** Once a second at most. */
  #logRefusals (peer: Peer, now: number): void {
    const refused = peer.refusedMessages - peer.reportedRefusals
    if (refused === 0 || now - peer.reportedAt < reportEvery) return
    peer.reportedRefusals = peer.refusedMessages
    peer.reportedAt = now
    this.#host.logger.warn({ relayNode: peer.node, refused, unacknowledged: peer.channel.unacknowledged }, 'cluster: refused messages to a node that is too slow')
  }

  /** The engine is back: what it had not confirmed may be lost. */
  engineReconnected (): void {
    for (const peer of this.upPeers) this.#resume(peer)
  }

  /** A node that was up all the time is back at the engine: what it was sent meanwhile may be lost. */
  nodeReturned (node: string): void {
    this.#resume(this.#peers.get(node)!)
  }

  #resume (peer: Peer): void {
    peer.channel.resendAll()
    this.#host.peerReady(peer)
  }

  clear (): void {
    this.#peers.clear()
    this.#bySuffix.clear()
    this.#dirty.clear()
  }
}
