import { batchTypes, decodeNumber, decodeSource, encodeNumber } from '../link/codec.js'
import type { Cancellable, Clock } from '../../shared/clock.js'
import type { EngineLink } from '../link/engine-link.js'
import type { Membership } from './membership.js'
import type { Timing } from '../timing.js'
import type { ClusterStats } from '../../../types/cluster.js'

/** The number in a heartbeat. `hello` asks for an answer; `bye` says that the node leaves. */
const beats = { beat: 0, hello: 1, bye: 2 } as const

/** Milliseconds between two answers: one beat reaches all nodes that said hello meanwhile. */
const answerEvery = 100

/** The parts of the node that heartbeats use. */
export interface HeartbeatsHost {
  readonly clock: Clock
  readonly timing: Timing
  /** Returns a number from 0 to 1. */
  readonly random: () => number
  readonly counters: ClusterStats
  readonly engineLink: Pick<EngineLink, 'publish' | 'heartbeatTopic' | 'inboxTopic'>
  readonly membership: Pick<Membership, 'find' | 'nodeLeft' | 'recordContact'>
  /** Called with a batch that is no heartbeat of this version. */
  unreadableBatch (bytes: Buffer): void
  /** Called when a node that is up says hello: it had lost the engine, and is connected again. */
  nodeReturned (node: string): void
}

/** Sends the heartbeats of this node, and reads those of other nodes. */
export class Heartbeats {
  readonly #host: HeartbeatsHost
  #timer: Cancellable | undefined
  #answerTimer: Cancellable | undefined
  #answerAgain = false

  constructor (host: HeartbeatsHost) {
    this.#host = host
  }

  /** Sends a heartbeat per period. The random part keeps the nodes from sending all at once. */
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

  /** Announces this node. The other nodes answer at once. */
  sendHello (): void {
    this.#publishBeat(beats.hello)
  }

  /** Announces that this node leaves. */
  sendBye (): void {
    this.#publishBeat(beats.bye)
  }

  #publishBeat (what: number): void {
    const { engineLink } = this.#host
    const source = { type: batchTypes.heartbeat }
    engineLink.publish(engineLink.heartbeatTopic, source, [encodeNumber(what)])
  }

  /** Called with each batch on the heartbeat topic. */
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

  /** Tells a node that it is ignored, because a later incarnation of it is known. */
  #sendOutdated (node: string, incarnation: number): void {
    const { membership, engineLink } = this.#host
    const known = membership.find(node)
    if (known === undefined || known.incarnation <= incarnation) return
    const topic = engineLink.inboxTopic(node, incarnation)
    engineLink.publish(topic, { type: batchTypes.outdated }, [encodeNumber(known.incarnation)])
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
