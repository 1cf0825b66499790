import type { NodeContext } from '../context.js'
import type { EngineLink } from '../link/engine-link.js'
import type { ClusterNodeInfo } from '../../../types/cluster.js'

/** The parts of the node that learn of other nodes. */
export interface MembershipEvents {
  nodeUp (node: string, incarnation: number): void
  nodeDown (node: string, incarnation: number, why: string): void
  /** Called when a node cannot come back in this incarnation: its records can be dropped. */
  nodeForgotten (node: string): void
  /** Called when another node has heard of a later incarnation of this one. */
  laterIncarnation (incarnation: number): void
}

interface Member {
  incarnation: number
  state: 'up' | 'down'
  /** It has said bye: any later batch of this incarnation is ignored. */
  hasLeft: boolean
  since: number
  heardAt: number
  probing: boolean
}

/** Milliseconds until a node that is down is forgotten. */
const rememberFor = 60 * 60 * 1000

/**
 * Tracks which other nodes are up. A node is up because a batch of it arrived, never because the
 * engine says so. The highest incarnation of a node wins for ever.
 *
 * | state   | event                                         | then    | calls             |
 * | ------- | --------------------------------------------- | ------- | ----------------- |
 * | unknown | a batch arrives                               | up      | `nodeUp`          |
 * | up      | silence, no subscriber, bye, this node leaves | down    | `nodeDown`        |
 * | down    | a batch arrives, and it has not said bye      | up      | `nodeUp`          |
 * | down    | an hour has passed                            | unknown | `nodeForgotten`   |
 *
 * A batch of a later incarnation marks the old one as down, forgets it, and then counts as the
 * first batch of an unknown node. A batch of an earlier incarnation is ignored.
 */
export class Membership {
  readonly #context: NodeContext
  readonly #engineLink: Pick<EngineLink, 'probe'>
  readonly #events: MembershipEvents
  readonly #members = new Map<string, Member>()
  #tickedAt = 0
  /** No node is taken for down before this time. */
  #graceUntil = 0
  /** Since when the engine can be reached; undefined while it cannot. */
  #connectedAt: number | undefined

  constructor (
    context: NodeContext, engineLink: Pick<EngineLink, 'probe'>, events: MembershipEvents
  ) {
    this.#context = context
    this.#engineLink = engineLink
    this.#events = events
  }

  /** Call it once, when this node has connected to the engine. Before, a stall has no effect. */
  begin (up: boolean): void {
    this.#tickedAt = this.#context.now()
    this.setConnected(up)
  }

  nodes (): ClusterNodeInfo[] {
    return Array.from(this.#members, ([node, { incarnation, state, since }]) => {
      return { node, incarnation, state, since }
    })
  }

  /** The last known incarnation of a node, and its state. */
  find (node: string): Readonly<Pick<Member, 'incarnation' | 'state' | 'hasLeft'>> | undefined {
    return this.#members.get(node)
  }

  get upCount (): number {
    let up = 0
    for (const { state } of this.#members.values()) if (state === 'up') up++
    return up
  }

  /** Records that a batch of a node arrived. @returns whether the batch is to be handled */
  recordContact (node: string, incarnation: number): boolean {
    if (node === this.#context.node) return this.heardOwnName(incarnation)
    const now = this.#context.now()
    let member = this.#members.get(node)
    if (member !== undefined) {
      if (incarnation < member.incarnation) return false
      if (incarnation === member.incarnation && member.hasLeft) return false
    }
    if (member !== undefined && incarnation > member.incarnation) {
      this.#markDown(node, member, 'it has been started anew')
      this.#events.nodeForgotten(node)
      member = undefined
    }
    if (member === undefined) {
      member = {
        incarnation, state: 'down', hasLeft: false, since: now, heardAt: now, probing: false
      }
      this.#members.set(node, member)
    }
    member.heardAt = now
    if (member.state === 'up') return true
    member.state = 'up'
    member.since = now
    this.#events.nodeUp(node, incarnation)
    return true
  }

  /** Records that another node knows an incarnation of this one. @returns false */
  heardOwnName (incarnation: number): false {
    if (incarnation > this.#context.incarnation) this.#events.laterIncarnation(incarnation)
    return false
  }

  /** Called when a node says bye. */
  nodeLeft (node: string, incarnation: number): void {
    const member = this.#members.get(node)
    if (member?.incarnation !== incarnation) return
    member.hasLeft = true
    this.#markDown(node, member, 'it has left')
  }

  /** Called when this node leaves: it cannot reach the others any more. */
  markAllDown (): void {
    for (const [node, member] of this.#members) this.#markDown(node, member, 'this node leaves')
  }

  #markDown (node: string, member: Member, why: string): void {
    if (member.state === 'down') return
    member.state = 'down'
    member.since = this.#context.now()
    this.#events.nodeDown(node, member.incarnation, why)
  }

  /** Called when the engine becomes reachable or unreachable. */
  setConnected (up: boolean): void {
    this.#connectedAt = up ? this.#context.now() : undefined
  }

  /** Called every `period` milliseconds: marks silent nodes as down. */
  tick (period: number): void {
    const { timing, counters, logger } = this.#context
    const now = this.#context.now()
    const late = now - this.#tickedAt - period
    if (late > timing.stall) {
      counters.loopStalled()
      logger.warn({ ms: Math.round(late) }, 'cluster: the event loop stood still')
      // Batches that came meanwhile have not been read yet, so silence proves nothing.
      this.#graceUntil = now + timing.stall
    }
    this.#tickedAt = now
    if (now < this.#graceUntil) return
    for (const [node, member] of this.#members) this.#checkMember(node, member, now)
  }

  #checkMember (node: string, member: Member, now: number): void {
    const { timing } = this.#context
    const silence = now - member.heardAt
    if (member.state === 'down') {
      if (now - member.since < rememberFor) return
      this.#members.delete(node)
      this.#events.nodeForgotten(node)
      return
    }
    const connected = this.#connectedAt === undefined ? undefined : now - this.#connectedAt
    // The engine has just come back: heartbeats of the others are still to come.
    if (connected !== undefined && connected < timing.stall) return
    // One heartbeat more while the engine is away: the next one may have been due at that moment,
    // and an outage shorter than the down time must not mark a node as down.
    const patience = connected === undefined ? timing.down + timing.heartbeat : timing.down
    if (silence > patience) this.#markDown(node, member, 'it is silent')
    else if (connected !== undefined && Math.min(silence, connected) > timing.gone) {
      this.#probe(node, member)
    }
  }

  /** Asks the engine whether a silent node still subscribes to its inbox. */
  #probe (node: string, member: Member): void {
    if (member.probing) return
    member.probing = true
    const { heardAt, incarnation } = member
    this.#engineLink.probe(node, incarnation).then((subscribed) => {
      member.probing = false
      // A batch that came meanwhile proves that the node is up.
      if (subscribed === false && member.heardAt === heardAt) {
        this.#markDown(node, member, 'it has no connection to the engine')
      }
    }, () => {
      member.probing = false
    })
  }
}
