// A model of one connection that parks. It follows the events of the connection, and records each
// one that the contract does not allow.
import { isOrderly } from '../../../lib/process/exits/exit-signals.js'
import { equal } from '../suite.js'
import type { Connection } from '../../../lib/connection/connection.js'
import type { Clock } from '../../../lib/shared/clock.js'
import type { ConnectionEvent } from '../../../types/events.js'
import type { LeaveCause } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { ParkClient } from './park-clients.js'
import type { Room } from './park-rooms.js'

/** Deadlines are rounded up. */
const lateness = 20

/** The time during which a connection has one target. */
interface Bind {
  readonly room: Room
  readonly how: 'open' | 'rejoin' | 'transfer'
  /** Whether the client was away when it began. */
  readonly wasAway: boolean
  /** The number of the last message that goes to this target; undefined until it is known. */
  upTo: number | undefined
  /** The last message after those that was lost, because the connection had no policy. */
  lostUpTo?: number
  /** Messages are held for the next target, whatever the policy is from now on. */
  isHolding?: true
  /** `maybe`: the target was stopping, so the leave is either counted or known to be in vain. */
  leave: 'none' | 'sent' | 'maybe'
}

/** Messages of a connection that no room has handled. */
export interface Losses {
  readonly atLeast: number
  readonly atMost: number
}

export class ModelledConnection {
  readonly connection: Connection
  readonly client: ParkClient
  /** The events that may end it. */
  readonly underWay = new Set<LeaveCause>()
  /** Messages that the client has sent. */
  sent = 0
  /** Messages to the client that were accepted. */
  readonly told: string[] = []
  policy: { readonly name: string, readonly time: number } | undefined
  /** The target of a transfer that is on its way. */
  transferTo: Room | undefined
  state: 'bound' | 'parked' | 'ended' = 'bound'
  readonly #binds: Bind[] = []
  readonly #clock: Clock
  readonly #roomOf: (pid: Pid) => Room
  /** When the time is over. */
  #ends: number | undefined
  /** A process with the name has taken a join. */
  #tookJoin = false
  #code: number | undefined

  constructor (
    connection: Connection, client: ParkClient, clock: Clock, roomOf: (pid: Pid) => Room
  ) {
    this.connection = connection
    this.client = client
    this.#clock = clock
    this.#roomOf = roomOf
  }

  get pid (): Pid {
    return this.connection.pid
  }

  get room (): Room {
    return this.#last.room
  }

  get isAlive (): boolean {
    return this.state !== 'ended'
  }

  get #last (): Bind {
    return this.#binds.at(-1)!
  }

  /** Messages of the client that the connection has read. */
  get #read (): number {
    return this.connection.describe().messages
  }

  /** The room takes no more mail. */
  roomRefuses (room: Room): void {
    const bind = this.#binds.at(-1)
    if (bind?.room === room) bind.upTo ??= this.#read
  }

  /** Called before the policy or the target changes: what was read is either held or lost. */
  noteRead (): void {
    const bind = this.#last
    if (this.state !== 'bound' || bind.upTo === undefined || bind.isHolding) return
    if (this.policy === undefined) bind.lostUpTo = this.#read
    else if (this.#read > (bind.lostUpTo ?? bind.upTo)) bind.isHolding = true
  }

  // Events

  apply (event: ConnectionEvent): void {
    switch (event.type) {
      case 'open': return this.#bind(event.target, 'open')
      case 'park': return this.#park(event.name, event.target)
      case 'rejoin': return this.#rejoin(event.target, event.from)
      case 'transfer': return this.#transfer(event.target)
      case 'close': return this.#close(event.cause, event.code)
    }
  }

  #bind (target: Pid, how: Bind['how']): void {
    const room = this.#roomOf(target)
    equal(room.isOpen, true, `${how} to a process that takes no mail`)
    const wasAway = this.client.transport.away !== undefined
    this.#binds.push({ room, how, wasAway, upTo: undefined, leave: 'none' })
    this.state = 'bound'
  }

  /** Whether the target has taken the join of the present bind. */
  #targetTookJoin (): boolean {
    const { room } = this
    const joins = room.handledOf(this.pid).filter(({ topic }) => topic === 'ws.join')
    return joins.length === this.#binds.filter((bind) => bind.room === room).length
  }

  /** The target has failed. */
  #noteFailure (): void {
    if (this.#targetTookJoin()) {
      this.#tookJoin = true
      this.#ends = undefined
    }
    this.#ends ??= this.#clock.now() + this.policy!.time
  }

  #park (name: string, target: Pid): void {
    equal(this.state, 'bound', 'a park')
    equal(target, this.room.pid, 'the target of a park')
    equal(this.room.hasFailed, true, 'a park after a failure')
    equal(name, this.policy?.name, 'the name of a park')
    this.#noteFailure()
    equal(this.#ends! > this.#clock.now(), true, 'a park after its time')
    this.state = 'parked'
  }

  #rejoin (target: Pid, from: Pid): void {
    equal(this.state, 'parked', 'a rejoin')
    equal(from, this.room.pid, 'the target before a rejoin')
    equal(this.#isLate, false, 'a rejoin after the time')
    this.#bind(target, 'rejoin')
  }

  #transfer (target: Pid): void {
    equal(target, this.transferTo?.pid, 'the target of a transfer')
    this.noteRead()
    this.#leave()
    this.#ends = undefined
    this.#tookJoin = false
    this.#bind(target, 'transfer')
  }

  /** The target of a transfer or an end gets a leave, unless it is gone. */
  #leave (): void {
    const bind = this.#last
    if (this.state === 'bound' && bind.room.exit === undefined) {
      bind.leave = bind.room.isOpen ? 'sent' : 'maybe'
    }
    bind.upTo ??= this.#read
  }

  #close (cause: LeaveCause, code: number | undefined): void {
    equal(this.isAlive, true, 'a close')
    this.#code = code
    if (cause === 'target') this.#closeWithTarget(code)
    else {
      equal(this.underWay.has(cause), true, `an end by ${cause}`)
      this.#leave()
    }
    this.#last.upTo ??= this.#read
    this.state = 'ended'
  }

  #closeWithTarget (code: number | undefined): void {
    const { exit, hasFailed } = this.room
    equal(exit !== undefined, true, 'an end with a target that is alive')
    const parks = hasFailed && this.policy !== undefined
    if (this.state === 'bound' && parks) this.#noteFailure()
    if (this.state === 'parked' || parks) {
      equal(this.#clock.now() >= this.#ends!, true, 'an end before the time is over')
      equal(code, this.#tookJoin ? 1011 : 1013, 'the code when the time is over')
    } else {
      const ended = isOrderly(exit!.reason) ? 1000 : 1011
      equal(code, this.#targetTookJoin() ? ended : 1013, 'the code of an end with the target')
    }
  }

  // At rest

  get #isLate (): boolean {
    return this.#clock.now() > this.#ends! + lateness
  }

  /** @param ofName the room that has the name of the park, if it takes mail */
  check (ofName: Room | undefined): void {
    const { state, room, client } = this
    const { target, parked, paused } = this.connection.describe()
    equal(target, room.pid, 'the target of a connection')
    equal(parked, state === 'parked', 'whether it is parked')
    if (state === 'ended') {
      if (client.isConnected && this.#code !== undefined && client.code !== undefined) {
        equal(client.code, this.#code, 'the code that the client sees')
      }
      return
    }
    equal(client.code, undefined, 'the code of a client whose connection is alive')
    if (state === 'bound') return equal(room.exit, undefined, 'the exit of a bound target')
    equal(ofName, undefined, 'a process that has the name of a parked connection')
    equal(this.#isLate, false, 'a park beyond its time')
    // A client that counts messages is read until its first message on each socket.
    if (client.comeBack === undefined) equal(paused, true, 'whether a parked client is not read')
  }

  /** Nothing waits any more. */
  checkQuiet (): void {
    equal(this.state, 'bound', 'a connection that waits')
    equal(this.#read, this.sent, 'messages that were read')
    equal(this.client.texts.join(), this.told.join(), 'messages to the client')
  }

  /**
   * Each room has a join, then the messages of its time, in order and without a gap. Those at the
   * end may be missing, because it has ended, and those that came after its end without a policy.
   */
  judge (): Losses {
    const times = new Map<Room, number>()
    let handled = 0
    let before = 0
    let leaves = 0
    let maybe = 0
    for (const bind of this.#binds) {
      const time = times.get(bind.room) ?? 0
      times.set(bind.room, time + 1)
      handled += this.#judgeBind(bind, time, before)
      before = bind.lostUpTo ?? bind.upTo ?? this.#read
      if (bind.leave === 'sent') leaves++
      if (bind.leave === 'maybe') maybe++
    }
    for (const [room, count] of times) {
      const joins = room.handledOf(this.pid).filter(({ topic }) => topic === 'ws.join').length
      equal(joins <= count, true, 'joins of one room')
    }
    const atLeast = this.#read + this.#binds.length + leaves - handled
    return { atLeast, atMost: atLeast + maybe }
  }

  /** @returns the number of messages that the room has handled during this time */
  #judgeBind (bind: Bind, time: number, before: number): number {
    const { room, how, wasAway, upTo = this.#read, leave } = bind
    const all = room.handledOf(this.pid)
    const joins = all.flatMap(({ topic }, i) => topic === 'ws.join' ? [i] : [])
    if (time === 0 && all.length > 0) equal(joins[0], 0, 'a message before the join')
    if (time >= joins.length) return 0
    const [join, ...mail] = all.slice(joins[time], joins[time + 1])
    equal(join.payload.rejoined, how === 'rejoin' ? true : undefined, 'rejoined')
    equal(join.payload.connected, wasAway ? false : undefined, 'connected')
    if (mail.at(-1)?.topic === 'ws.leave') {
      equal(leave !== 'none', true, 'a leave')
      mail.pop()
      equal(before + mail.length, upTo, 'messages before the leave')
      mail.forEach(({ payload }, i) => { equal(parseInt(payload.data), before + i + 1, 'a text') })
      return mail.length + 2
    }
    mail.forEach(({ topic, payload }, i) => {
      equal(topic, 'ws.message')
      equal(parseInt(payload.data), before + i + 1, 'the number of a message')
    })
    equal(before + mail.length <= upTo, true, 'messages after the time of a room')
    return mail.length + 1
  }
}
