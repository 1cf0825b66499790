import type { Clock } from '../../shared/clock.js'
import type { Timing } from '../timing.js'
import type { ClusterNodeInfo, ClusterStats } from '../../../types/cluster.js'

/** What membership needs, and whom it tells. */
export interface MembershipHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly counters: ClusterStats
  readonly node: string
  readonly incarnation: number
  /** Whether that node has a subscriber; undefined: cannot tell. */
  probe (node: string, incarnation: number): Promise<boolean | undefined>
  nodeUp (node: string, incarnation: number): void
  nodeDown (node: string, incarnation: number, why: string): void
  /** It will not be heard of again: nothing of it needs to be kept. */
  nodeForgotten (node: string, incarnation: number): void
  /** The event loop of this node stood still, for about so many milliseconds. */
  loopStalled (ms: number): void
  /** Another node has the name of this one, in a later incarnation. */
  nameTaken (incarnation: number): void
}

interface Member {
  incarnation: number
  state: 'up' | 'down'
  /** It said goodbye: whatever comes of this incarnation is late. */
  hasLeft: boolean
  since: number
  heardAt: number
  probing: boolean
}

/** How long a node that is down is remembered. */
const rememberFor = 60 * 60 * 1000

/** Who is there: by what is heard, never by what the engine says. The highest incarnation of a node wins for ever. */
export class Membership {
  readonly #host: MembershipHost
  readonly #members = new Map<string, Member>()
  #tickedAt: number
  /** Nobody is judged before. */
  #graceUntil = 0
  /** The engine is in reach, since when. */
  #connectedAt: number | undefined

  constructor (host: MembershipHost) {
    this.#host = host
    this.#tickedAt = host.clock.now()
  }

  nodes (): ClusterNodeInfo[] {
    return Array.from(this.#members, ([node, { incarnation, state, since }]) => ({ node, incarnation, state, since }))
  }

  /** The incarnation of a node that is known, and whether it is up. */
  find (node: string): Readonly<Pick<Member, 'incarnation' | 'state' | 'hasLeft'>> | undefined {
    return this.#members.get(node)
  }

  get upCount (): number {
    let up = 0
    for (const { state } of this.#members.values()) if (state === 'up') up++
    return up
  }

  /** Something came from a node. @returns whether it may be listened to */
  recordContact (node: string, incarnation: number): boolean {
    if (node === this.#host.node) return this.#heardOwnName(incarnation)
    const now = this.#host.clock.now()
    let member = this.#members.get(node)
    if (member !== undefined && (incarnation < member.incarnation || (incarnation === member.incarnation && member.hasLeft))) return false
    if (member !== undefined && incarnation > member.incarnation) {
      this.#markDown(node, member, 'it has been started anew')
      this.#host.nodeForgotten(node, member.incarnation)
      member = undefined
    }
    if (member === undefined) {
      member = { incarnation, state: 'down', hasLeft: false, since: now, heardAt: now, probing: false }
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

  /** A node says that it goes. */
  nodeLeft (node: string, incarnation: number): void {
    const member = this.#members.get(node)
    if (member?.incarnation !== incarnation) return
    member.hasLeft = true
    this.#markDown(node, member, 'it has left')
  }

  /** This node leaves: all others are out of its reach. */
  markAllDown (): void {
    for (const [node, member] of this.#members) this.#markDown(node, member, 'this node leaves')
  }

  #markDown (node: string, member: Member, why: string): void {
    if (member.state === 'down') return
    member.state = 'down'
    member.since = this.#host.clock.now()
    this.#host.nodeDown(node, member.incarnation, why)
  }

  /** The engine has come, or gone. */
  setConnected (up: boolean): void {
    this.#connectedAt = up ? this.#host.clock.now() : undefined
  }

  /** Looks at the time; called every `period` milliseconds. */
  tick (period: number): void {
    const { timing, counters } = this.#host
    const now = this.#host.clock.now()
    const late = now - this.#tickedAt - period
    if (late > timing.stall) {
      counters.stalls++
      this.#host.loopStalled(late)
      // What the others sent meanwhile is still to be read.
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
    // Just back, the others are heard in a moment.
    if (connected !== undefined && connected < timing.stall) return
    // When the engine went away, the next heartbeat of the other node may have been due: an outage that is shorter than
    // the down time must not be noticed.
    const patience = connected === undefined ? timing.down + timing.heartbeat : timing.down
    if (silence > patience) this.#markDown(node, member, 'it is silent')
    else if (connected !== undefined && Math.min(silence, connected) > timing.gone) this.#probe(node, member)
  }

  /** Silent, and the engine may know that it is not there. */
  #probe (node: string, member: Member): void {
    if (member.probing) return
    member.probing = true
    const { heardAt, incarnation } = member
    this.#host.probe(node, incarnation).then((subscribed) => {
      member.probing = false
      // What was heard meanwhile counts for more.
      if (subscribed === false && member.heardAt === heardAt) this.#markDown(node, member, 'it has no connection to the engine')
    }, () => {
      member.probing = false
    })
  }
}
