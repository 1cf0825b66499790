import { batchTypes, decodeNumber, decodeSource, encodeNumber } from '../link/codec.js'
import { OtherVersions } from './other-versions.js'
import type { Cancellable } from '../../shared/clock.js'
import type { NodeContext } from '../context.js'
import type { EngineLink } from '../link/engine-link.js'
import type { Membership } from './membership.js'
import type { Peers } from './peers.js'

type Link = Pick<EngineLink, 'publish' | 'heartbeatTopic' | 'inboxTopic'>
type Members = Pick<Membership, 'find' | 'nodeLeft' | 'recordContact'>

/** The number in a heartbeat. `hello` asks for an answer; `bye` says that the node leaves. */
const beats = { beat: 0, hello: 1, bye: 2 } as const

/** Milliseconds between two answers: one beat reaches all nodes that said hello meanwhile. */
const answerEvery = 100

/** Sends the heartbeats of this node, and reads those of other nodes. */
export class Heartbeats {
  readonly #context: NodeContext
  readonly #engineLink: Link
  readonly #membership: Members
  readonly #peers: Pick<Peers, 'nodeReturned'>
  readonly #otherVersions: OtherVersions
  #timer: Cancellable | undefined
  #answerTimer: Cancellable | undefined
  #answerAgain = false

  constructor (
    context: NodeContext, engineLink: Link, membership: Members, peers: Pick<Peers, 'nodeReturned'>
  ) {
    this.#context = context
    this.#engineLink = engineLink
    this.#membership = membership
    this.#peers = peers
    this.#otherVersions = new OtherVersions(context.logger)
  }

  /** Sends a heartbeat per period. The random part keeps the nodes from sending all at once. */
  start (): void {
    const { timing, random } = this.#context
    this.#timer = this.#context.after(timing.heartbeat * (1 - random() / 10), () => {
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
    const source = { type: batchTypes.heartbeat }
    this.#engineLink.publish(this.#engineLink.heartbeatTopic, source, [encodeNumber(what)])
  }

  /** Called with each batch on the heartbeat topic. */
  readonly receiveHeartbeat = (bytes: Buffer): void => {
    const membership = this.#membership
    const source = decodeSource(bytes)
    const what = source?.type === batchTypes.heartbeat ? decodeNumber(bytes, source.end) : undefined
    if (source === undefined || what === undefined) {
      this.#context.counters.garbageReceived()
      this.#otherVersions.logSender(bytes)
      return
    }
    const { node, incarnation } = source
    const wasUp = membership.find(node)?.state === 'up'
    if (what === beats.bye) membership.nodeLeft(node, incarnation)
    else if (!membership.recordContact(node, incarnation)) this.#sendOutdated(node, incarnation)
    else if (what === beats.hello) {
      this.#answer()
      if (wasUp) this.#peers.nodeReturned(node)
    }
  }

  /** Tells a node that it is ignored, because a later incarnation of it is known. */
  #sendOutdated (node: string, incarnation: number): void {
    const known = this.#membership.find(node)
    if (known === undefined || known.incarnation <= incarnation) return
    const topic = this.#engineLink.inboxTopic(node, incarnation)
    const number = encodeNumber(known.incarnation)
    this.#engineLink.publish(topic, { type: batchTypes.outdated }, [number])
  }

  #answer (): void {
    this.#answerAgain = this.#answerTimer !== undefined
    if (this.#answerAgain) return
    this.#publishBeat(beats.beat)
    this.#answerTimer = this.#context.after(answerEvery, () => {
      this.#answerTimer = undefined
      if (this.#answerAgain) this.#answer()
    })
  }
}
