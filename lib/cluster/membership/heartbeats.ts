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
  readonly line: Pick<EngineLink, 'publish' | 'heartbeats' | 'inboxOf'>
  readonly membership: Pick<Membership, 'bye' | 'find' | 'heard'>
  /** What came is no heartbeat of this version. */
  unreadable (bytes: Buffer): void
  /** A node that was up all the time has said hello: it was cut off from the engine, and is back. */
  isBack (node: string): void
}

/** This node's own heartbeat, and what those of others say. */
export class Heartbeats {
  readonly #host: HeartbeatsHost
  #timer: Cancellable | undefined
  #answering: Cancellable | undefined
  #isAsked = false

  constructor (host: HeartbeatsHost) {
    this.#host = host
  }

  /** One after the other, not all nodes at the same time. */
  start (): void {
    const { clock, timing, random } = this.#host
    this.#timer = clock.after(timing.heartbeat * (1 - random() / 10), () => {
      this.#beat(beats.beat)
      this.start()
    })
  }

  stop (): void {
    this.#timer?.cancel()
    this.#answering?.cancel()
  }

  /** Those who are there answer at once. */
  hello (): void {
    this.#beat(beats.hello)
  }

  /** It will not be heard of again. */
  bye (): void {
    this.#beat(beats.bye)
  }

  #beat (what: number): void {
    const { line } = this.#host
    line.publish(line.heartbeats, { type: batchTypes.heartbeat }, [encodeNumber(what)])
  }

  /** One of another node. */
  readonly heard = (bytes: Buffer): void => {
    const { membership, counters } = this.#host
    const source = decodeSource(bytes)
    const what = source?.type === batchTypes.heartbeat ? decodeNumber(bytes, source.end) : undefined
    if (source === undefined || what === undefined) {
      counters.garbage++
      this.#host.unreadable(bytes)
      return
    }
    const { node, incarnation } = source
    const wasUp = membership.find(node)?.state === 'up'
    if (what === beats.bye) membership.bye(node, incarnation)
    else if (!membership.heard(node, incarnation)) this.#tellOutdated(node, incarnation)
    else if (what === beats.hello) {
      this.#answer()
      if (wasUp) this.#host.isBack(node)
    }
  }

  /** Tells a node that nobody listens to it, because a later incarnation of it is known. */
  #tellOutdated (node: string, incarnation: number): void {
    const { membership, line } = this.#host
    const known = membership.find(node)
    if (known === undefined || known.incarnation <= incarnation) return
    line.publish(line.inboxOf(node, incarnation), { type: batchTypes.outdated }, [encodeNumber(known.incarnation)])
  }

  #answer (): void {
    this.#isAsked = this.#answering !== undefined
    if (this.#isAsked) return
    this.#beat(beats.beat)
    this.#answering = this.#host.clock.after(answerEvery, () => {
      this.#answering = undefined
      if (this.#isAsked) this.#answer()
    })
  }
}
