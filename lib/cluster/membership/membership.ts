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
  up (node: string, incarnation: number): void
  down (node: string, incarnation: number, why: string): void
  /** It will not be heard of again: nothing of it needs to be kept. */
  forgotten (node: string, incarnation: number): void
  /** The event loop of this node stood still, for about so many milliseconds. */
  stalled (ms: number): void
  /** Another node has the name of this one, in a later incarnation. */
  nameTaken (incarnation: number): void
}

interface Member {
  incarnation: number
  state: 'up' | 'down'
  /** It said goodbye: whatever comes of this incarnation is late. */
  gone: boolean
  since: number
  heardAt: number
  probing: boolean
}

/** How long a node that is down is remembered. */
const memory = 60 * 60 * 1000

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
  find (node: string): Readonly<Pick<Member, 'incarnation' | 'state' | 'gone'>> | undefined {
    return this.#members.get(node)
  }

  get up (): number {
    let up = 0
    for (const { state } of this.#members.values()) if (state === 'up') up++
    return up
  }

  /** Something came from a node. @returns whether it may be listened to */
  heard (node: string, incarnation: number): boolean {
    if (node === this.#host.node) return this.#heardOwnName(incarnation)
    const now = this.#host.clock.now()
    let member = this.#members.get(node)
    if (member !== undefined && (incarnation < member.incarnation || (incarnation === member.incarnation && member.gone))) return false
    if (member !== undefined && incarnation > member.incarnation) {
      this.#down(node, member, 'it has been started anew')
      this.#host.forgotten(node, member.incarnation)
      member = undefined
    }
    if (member === undefined) {
      member = { incarnation, state: 'down', gone: false, since: now, heardAt: now, probing: false }
      this.#members.set(node, member)
    }
    member.heardAt = now
    if (member.state === 'up') return true
    member.state = 'up'
    member.since = now
    this.#host.up(node, incarnation)
    return true
  }

  #heardOwnName (incarnation: number): false {
    if (incarnation > this.#host.incarnation) this.#host.nameTaken(incarnation)
    return false
  }

  /** A node says that it goes. */
  bye (node: string, incarnation: number): void {
    const member = this.#members.get(node)
    if (member?.incarnation !== incarnation) return
    member.gone = true
    this.#down(node, member, 'it has left')
  }

  /** This node leaves: all others are out of its reach. */
  leave (): void {
    for (const [node, member] of this.#members) this.#down(node, member, 'this node leaves')
  }

  #down (node: string, member: Member, why: string): void {
    if (member.state === 'down') return
    member.state = 'down'
    member.since = this.#host.clock.now()
    this.#host.down(node, member.incarnation, why)
  }

  /** The engine has come, or gone. */
  connection (up: boolean): void {
    this.#connectedAt = up ? this.#host.clock.now() : undefined
  }

  /** Looks at the time; called every `period` milliseconds. */
  tick (period: number): void {
    const { timing, counters } = this.#host
    const now = this.#host.clock.now()
    const late = now - this.#tickedAt - period
    if (late > timing.stall) {
      counters.stalls++
      this.#host.stalled(late)
      // What the others sent meanwhile is still to be read.
      this.#graceUntil = now + timing.stall
    }
    this.#tickedAt = now
    if (now < this.#graceUntil) return
    for (const [node, member] of this.#members) this.#judge(node, member, now)
  }

  #judge (node: string, member: Member, now: number): void {
    const { timing } = this.#host
    const silence = now - member.heardAt
    if (member.state === 'down') {
      if (now - member.since < memory) return
      this.#members.delete(node)
      this.#host.forgotten(node, member.incarnation)
      return
    }
    const connected = this.#connectedAt === undefined ? undefined : now - this.#connectedAt
    // Just back, the others are heard in a moment.
    if (connected !== undefined && connected < timing.stall) return
    // When the engine went away, the next heartbeat of the other node may have been due: an outage that is shorter than
    // the down time must not be noticed.
    const patience = connected === undefined ? timing.down + timing.heartbeat : timing.down
    if (silence > patience) this.#down(node, member, 'it is silent')
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
      if (subscribed === false && member.heardAt === heardAt) this.#down(node, member, 'it has no connection to the engine')
    }, () => {
      member.probing = false
    })
  }
}
