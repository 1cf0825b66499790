import { batchTypes, decodeNumber, decodeSource, encodeNumber } from '../link/codec.js'
import type { Cancellable, Clock } from '../../shared/clock.js'
import type { EngineLink } from '../link/engine-link.js'
import type { Membership } from './membership.js'
import type { Timing } from '../timing.js'
import type { ClusterStats } from '../../../types/cluster.js'

/** What a heartbeat says beside being one. */
const beats = { beat: 0, hello: 1, bye: 2 } as const

/** Milliseconds between answers: a beat goes to all, so one serves all who have said hello meanwhile. */
const answerEvery = 100

/** What heartbeats need, and whom they tell. */
export interface HeartbeatsHost {
  readonly clock: Clock
  readonly timing: Timing
  /** From 0 to 1. */
  readonly random: () => number
  readonly counters: ClusterStats
  readonly engineLink: Pick<EngineLink, 'publish' | 'heartbeatTopic' | 'inboxTopic'>
  readonly membership: Pick<Membership, 'find' | 'nodeLeft' | 'recordContact'>
  /** What came is no heartbeat of this version. */
  unreadableBatch (bytes: Buffer): void
  /** A node that was up all the time has said hello: it was cut off from the engine, and is back. */
  nodeReturned (node: string): void
}

/** This node's own heartbeat, and what those of others say. */
export class Heartbeats {
  readonly #host: HeartbeatsHost
  #timer: Cancellable | undefined
  #answerTimer: Cancellable | undefined
  #answerAgain = false

  constructor (host: HeartbeatsHost) {
    this.#host = host
  }

  /** One after the other, not all nodes at the same time. */
  start (): void {
    const { clock, timing, random } = this.#host
    this.#timer = clock.after(timing.heartbeat * (1 - random() / 10), () => {
      this.#publishBeat(beats.beat)
      this.start()
    })
  }

  stop (): void {
    this.#timer?.cancel()
    this.#answerTimer?.cancel()
  }

  /** Those who are there answer at once. */
  sendHello (): void {
    this.#publishBeat(beats.hello)
  }

  /** It will not be heard of again. */
  sendBye (): void {
    this.#publishBeat(beats.bye)
  }

  #publishBeat (what: number): void {
    const { engineLink } = this.#host
    engineLink.publish(engineLink.heartbeatTopic, { type: batchTypes.heartbeat }, [encodeNumber(what)])
  }

  /** One of another node. */
  readonly receiveHeartbeat = (bytes: Buffer): void => {
    const { membership, counters } = this.#host
    const source = decodeSource(bytes)
    const what = source?.type === batchTypes.heartbeat ? decodeNumber(bytes, source.end) : undefined
    if (source === undefined || what === undefined) {
      counters.garbage++
      this.#host.unreadableBatch(bytes)
      return
    }
    const { node, incarnation } = source
    const wasUp = membership.find(node)?.state === 'up'
    if (what === beats.bye) membership.nodeLeft(node, incarnation)
    else if (!membership.recordContact(node, incarnation)) this.#sendOutdated(node, incarnation)
    else if (what === beats.hello) {
      this.#answer()
      if (wasUp) this.#host.nodeReturned(node)
    }
  }

  /** Tells a node that nobody listens to it, because a later incarnation of it is known. */
  #sendOutdated (node: string, incarnation: number): void {
    const { membership, engineLink } = this.#host
    const known = membership.find(node)
    if (known === undefined || known.incarnation <= incarnation) return
    engineLink.publish(engineLink.inboxTopic(node, incarnation), { type: batchTypes.outdated }, [encodeNumber(known.incarnation)])
  }

  #answer (): void {
    this.#answerAgain = this.#answerTimer !== undefined
    if (this.#answerAgain) return
    this.#publishBeat(beats.beat)
    this.#answerTimer = this.#host.clock.after(answerEvery, () => {
      this.#answerTimer = undefined
      if (this.#answerAgain) this.#answer()
    })
  }
}
