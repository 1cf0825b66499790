// The contract of one client of keys: its connection, and the mail of its processes.
import { isOrderly } from '../../../lib/process/exits/exit-signals.js'
import { equal } from '../suite.js'
import type { Connection } from '../../../lib/connection/connection.js'
import type { Clock } from '../../../lib/shared/clock.js'
import type { ConnectionEvent } from '../../../types/events.js'
import type { ParkClient } from '../park/park-clients.js'
import type { Room, Visit } from './visit-rooms.js'

/** Deadlines are rounded up. */
const lateness = 20
/** How long a late visitor waits where clients of a failed process do not. */
const defaultTime = 10_000

export class Visitor {
  readonly connection: Connection
  readonly client: ParkClient
  /** Messages that the client has sent. */
  sent = 0
  /** Milliseconds that it may wait for a successor: one of these. */
  #parkTimes: readonly number[]
  state: 'bound' | 'parked' | 'ended' = 'bound'
  readonly visits: Visit[] = []
  readonly #kindTime: number
  readonly #clock: Clock
  readonly #roomOf: (pid: string) => Room
  /** When the time of a park is over: at the earliest, and at the latest. */
  #ends: readonly number[] | undefined
  /** A process before the present one has failed. */
  #hasFailed = false
  #isRejoined = false
  /** How often it was bound to a process. */
  #binds = 0

  constructor (
    connection: Connection, client: ParkClient, times: { park: number, kind: number },
    clock: Clock, roomOf: (pid: string) => Room
  ) {
    this.connection = connection
    this.client = client
    this.#parkTimes = [times.park]
    this.#kindTime = times.kind
    this.#clock = clock
    this.#roomOf = roomOf
  }

  get isAlive (): boolean {
    return this.state !== 'ended'
  }

  get #last (): Visit | undefined {
    return this.visits.at(-1)
  }

  // From its processes

  joined (room: Room, rejoined: boolean): void {
    const before = this.#last
    if (rejoined) equal(this.#hasFailed, true, 'a rejoin without a failure')
    this.#isRejoined = rejoined
    // Its mail moves only if nobody took the join, and the process has ended in order.
    const moves = before?.room.exit?.reason === 'normal' && !before.hasJoined && !before.hasLeft
    this.visits.push({
      room,
      numbers: [],
      takesOver: moves ? before : undefined,
      hasJoined: false,
      hasLeft: false,
      handled: 0,
      accepted: 1
    })
  }

  #visitOf (room: Room): Visit {
    const visit = this.visits.filter((visit) => visit.room === room).at(-1)
    equal(visit !== undefined, true, 'mail before the join')
    equal(visit!.hasLeft, false, 'mail after the leave')
    return visit!
  }

  said (room: Room, number: number): void {
    const visit = this.#visitOf(room)
    equal(visit, this.#last, 'the visit that gets a message')
    equal(number, this.#nextNumber(visit), 'the number of a message')
    visit.numbers.push(number)
    visit.accepted++
  }

  /** Messages come without a gap. Those of a late visitor come again, and first. */
  #nextNumber (visit: Visit): number {
    const last = visit.numbers.at(-1)
    if (last !== undefined) return last + 1
    const before = this.visits[this.visits.indexOf(visit) - 1]
    if (before === undefined) return 1
    const isEmpty = before.numbers.length === 0
    return visit.takesOver !== undefined && !isEmpty ? before.numbers[0] : this.#nextNumber(before)
  }

  left (room: Room): void {
    const visit = this.#visitOf(room)
    visit.hasLeft = true
    visit.accepted++
  }

  handled (room: Room, topic: string, number: number): void {
    const visits = this.visits.filter((visit) => visit.room === room)
    const visit = visits.find(({ handled, accepted }) => handled < accepted)
    equal(visit !== undefined, true, 'mail that was not accepted')
    const { handled, numbers } = visit!
    if (handled === 0) {
      equal(topic, 'ws.join', 'the first mail of a visit')
      visit!.hasJoined = true
    } else if (handled <= numbers.length) {
      equal(topic, 'ws.message', 'mail of a visit')
      equal(number, numbers[handled - 1], 'the number of a handled message')
    } else equal(topic, 'ws.leave', 'the last mail of a visit')
    visit!.handled++
  }

  // From its connection

  /** A transfer is asked for. To the same process it changes only how the connection parks. */
  mayTransfer (): void {
    this.#parkTimes = [...this.#parkTimes, this.#kindTime]
  }

  apply (event: ConnectionEvent): void {
    switch (event.type) {
      case 'open':
        this.#binds++
        return
      case 'park': return this.#park(event.target)
      case 'rejoin':
        equal(this.state, 'parked', 'a rejoin')
        equal(this.#isRejoined, this.#hasFailed, 'rejoined')
        this.#binds++
        this.state = 'bound'
        return
      case 'transfer':
        this.#parkTimes = [this.#kindTime]
        this.#ends = undefined
        this.#hasFailed = false
        this.#binds++
        this.state = 'bound'
        return
      case 'close':
        equal(this.isAlive, true, 'a close')
        if (event.cause === 'target') this.#checkCode(event.code)
        this.state = 'ended'
    }
  }

  #park (target: string): void {
    equal(this.state, 'bound', 'a park')
    const { exit } = this.#roomOf(target)
    const isFailure = !isOrderly(exit!.reason)
    const hasJoined = this.#last?.room.pid === target && this.#last.hasJoined
    if (!isFailure) equal(hasJoined, false, 'a park of a client that has joined')
    if (hasJoined) this.#ends = undefined
    if (isFailure) this.#hasFailed = true
    if (this.#ends === undefined) {
      const times = this.#parkTimes.map((time) => isFailure ? time : time || defaultTime)
      const [first, last] = [Math.min(...times), Math.max(...times)]
      this.#ends = [this.#clock.now() + first, this.#clock.now() + last]
    }
    this.state = 'parked'
  }

  #checkCode (code: number | undefined): void {
    equal([1000, 1011, 1013].includes(code!), true, `the code ${code} of an end with the target`)
    const { room, hasJoined } = this.#last!
    const isTimeOver = this.#clock.now() >= (this.#ends?.[0] ?? Infinity)
    if (this.state === 'parked' && code === 1013) equal(isTimeOver, true, 'the end of a park')
    // A process without a key has no successor.
    const isLate = room.key !== undefined && room.exit!.reason === 'normal' && !hasJoined
    // A key that fails too often closes with 1011.
    if (isLate && code !== 1011) equal(isTimeOver, true, 'the end of a late visitor')
    if (code !== 1000) return
    equal(isOrderly(room.exit!.reason), true, 'an end in order')
    equal(hasJoined, true, 'an end in order of a client that nobody has joined')
  }

  // At rest

  check (): void {
    equal(this.visits.length, this.#binds, 'joins')
    const { target, parked } = this.connection.describe()
    equal(parked, this.state === 'parked', 'whether it is parked')
    if (this.state === 'parked') {
      equal(this.#clock.now() <= this.#ends![1] + lateness, true, 'a park within its time')
    }
    if (this.state !== 'bound') return
    const { exit } = this.#roomOf(target)
    equal(exit, undefined, 'the exit of a bound target')
  }

  /** Nothing waits any more: all that a client that is there has sent has arrived. */
  checkQuiet (): void {
    if (!this.isAlive) return this.#checkLeft(this.visits)
    equal(this.state, 'bound', 'a connection that waits')
    this.#checkLeft(this.visits.slice(0, -1))
    const { room, handled, accepted, hasLeft } = this.#last!
    equal(room.pid, this.connection.describe().target, 'the process that has joined it')
    equal(hasLeft, false, 'the leave of a client that is there')
    equal(handled, accepted, 'mail that was handled')
    equal(this.#nextNumber(this.#last!) - 1, this.sent, 'messages that have arrived')
  }

  /** Each process that it has joined, and that goes on, has got a leave. */
  #checkLeft (visits: readonly Visit[]): void {
    for (const { room, hasLeft, handled, accepted } of visits) {
      if (room.exit !== undefined) continue
      equal(hasLeft, true, 'a leave')
      equal(handled, accepted, 'mail that was handled')
    }
  }

  /** Messages that were read and that no process has handled. */
  get lost (): number {
    const handled = new Set(this.visits.flatMap(({ numbers, handled }) => {
      return numbers.slice(0, Math.max(0, handled - 1))
    }))
    return this.connection.describe().messages - handled.size
  }
}
