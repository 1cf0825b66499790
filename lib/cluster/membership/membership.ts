import type { Clock } from '../../shared/clock.js'
import type { Timing } from '../timing.js'
import type { ClusterNodeInfo, ClusterStats } from '../../../types/cluster.js'

/** The parts of the node that the membership uses. */
export interface MembershipHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly counters: ClusterStats
  readonly node: string
  readonly incarnation: number
  /** Whether somebody subscribes to the inbox of a node; undefined if the engine cannot tell. */
  probe (node: string, incarnation: number): Promise<boolean | undefined>
  nodeUp (node: string, incarnation: number): void
  nodeDown (node: string, incarnation: number, why: string): void
  /** Called when a node cannot come back in this incarnation: its records can be dropped. */
  nodeForgotten (node: string, incarnation: number): void
  /** Called when the event loop of this node was blocked, with the milliseconds. */
  loopStalled (ms: number): void
  /** Called when another node has the name of this one, in a later incarnation. */
  nameTaken (incarnation: number): void
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
  readonly #host: MembershipHost
  readonly #members = new Map<string, Member>()
  #tickedAt: number
  /** No node is taken for down before this time. */
  #graceUntil = 0
  /** Since when the engine can be reached; undefined while it cannot. */
  #connectedAt: number | undefined

  constructor (host: MembershipHost) {
    this.#host = host
    this.#tickedAt = host.clock.now()
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
    if (node === this.#host.node) return this.#heardOwnName(incarnation)
    const now = this.#host.clock.now()
    let member = this.#members.get(node)
    if (member !== undefined) {
      if (incarnation < member.incarnation) return false
      if (incarnation === member.incarnation && member.hasLeft) return false
    }
    if (member !== undefined && incarnation > member.incarnation) {
      this.#markDown(node, member, 'it has been started anew')
      this.#host.nodeForgotten(node, member.incarnation)
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
    this.#host.nodeUp(node, incarnation)
    return true
  }

  #heardOwnName (incarnation: number): false {
    if (incarnation > this.#host.incarnation) this.#host.nameTaken(incarnation)
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
    member.since = this.#host.clock.now()
    this.#host.nodeDown(node, member.incarnation, why)
  }

  /** Called when the engine becomes reachable or unreachable. */
  setConnected (up: boolean): void {
    this.#connectedAt = up ? this.#host.clock.now() : undefined
  }

  /** Called every `period` milliseconds: marks silent nodes as down. */
  tick (period: number): void {
    const { timing, counters } = this.#host
    const now = this.#host.clock.now()
    const late = now - this.#tickedAt - period
    if (late > timing.stall) {
      counters.stalls++
      this.#host.loopStalled(late)
      // Batches that came meanwhile have not been read yet, so silence proves nothing.
      this.#graceUntil = now + timing.stall
    }
    this.#tickedAt = now
    if (now < this.#graceUntil) return
    for (const [node, member] of this.#members) this.#checkMember(node, member, now)
  }

  #checkMember (node: string, member: Member, now: number): void {
    const { timing } = this.#host
    const silence = now - member.heardAt
    if (member.state === 'down') {
      if (now - member.since < rememberFor) return
      this.#members.delete(node)
      this.#host.nodeForgotten(node, member.incarnation)
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
    this.#host.probe(node, incarnation).then((subscribed) => {
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
