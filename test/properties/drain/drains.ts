// Random histories of a drain: connections come, go, are away and come back, and the server may
// close meanwhile. The rules are those of `PacedClose`, and of `processes.drain()`.
import fc from 'fast-check'
import { equal, suiteOf } from '../suite.js'
import { closeTimeout, FakeServer } from './fake-server.js'
import type { Guest } from './fake-server.js'
import type { PacedClose } from '../../../lib/registration/paced-close.js'

const stepTime = 100
const kinds = fc.record({ counts: fc.boolean(), away: fc.boolean(), stays: fc.boolean() })
const ofOne = fc.record({
  do: fc.constantFrom('leave' as const, 'fail' as const, 'lose' as const, 'return' as const),
  of: fc.nat(20)
})
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('add' as const), count: fc.integer({ min: 1, max: 30 }), kind: kinds
    })
  },
  { weight: 3, arbitrary: ofOne },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('begin upgrade' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('end upgrade' as const), opens: fc.boolean() })
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.nat(4000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), over: fc.nat(20_000) }) }
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

const histories = fc.record({
  delay: fc.constantFrom(0, 0, 700),
  over: fc.nat(10_000),
  /** Connections at the start. */
  open: fc.oneof(
    { weight: 9, arbitrary: fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), kinds)) },
    {
      weight: 1,
      arbitrary: fc.constant([[3000, { counts: false, away: false, stays: false }] as const])
    }
  ),
  steps: fc.array(step, { maxLength: 12 })
})

class Drain {
  readonly server = new FakeServer()
  readonly #paced: PacedClose
  /** When the turns begin, and when they are over. */
  #begin: number
  #end: number
  #turns = 0
  /** Connections at the begin. Undefined when others came or went since. */
  #steady: number | undefined
  #addedAt = 0
  #emptySince: number | undefined

  constructor (delay: number, over: number, fill: (server: FakeServer) => void) {
    const { server } = this
    const { time } = server.clock
    this.#begin = time + delay
    this.#end = this.#begin + over
    server.onTurn = (guest, by) => { this.#advised(guest, by) }
    server.onEnd = (guest) => { this.#ended(guest) }
    fill(server)
    this.#steady = server.connections.size
    this.#paced = server.start(delay, over)
  }

  get #now (): number {
    return this.server.clock.time
  }

  get #hasBegun (): boolean {
    return this.#paced.refusesClients
  }

  #takeTurn (): void {
    this.#turns++
    equal(this.#hasBegun, true, 'a turn before the begin')
    const most = 1000 + 10 * (this.#now - this.#begin)
    equal(this.#turns <= most, true, `${this.#turns} turns after ${this.#now - this.#begin} ms`)
  }

  #advised (guest: Guest, by: number): void {
    this.#takeTurn()
    equal(guest.advice, undefined, 'a second turn')
    equal(by, closeTimeout, 'the time to leave')
  }

  #ended (guest: Guest): void {
    // The end of the time, for all.
    if (this.#now >= this.#end + closeTimeout) return
    if (guest.advice !== undefined) {
      const since = this.#now - guest.advisedAt
      return equal(since >= guest.advice, true, `a close ${since} ms after the advice`)
    }
    this.#takeTurn()
    if (guest.transport.away === undefined) return equal(guest.counts, false, 'no advice')
    equal(this.#waiting.some(({ wasAway }) => !wasAway), false, 'a client that is away is not last')
  }

  /** Connections that have had no turn. */
  get #waiting (): Guest[] {
    return [...this.server.connections].filter(({ isOpen, advice }) => isOpen && !advice)
  }

  do (step: Step): void {
    const { server } = this
    if (step.do === 'time') return this.advance(step.ms)
    if (step.do === 'close') {
      this.#end = Math.min(this.#end, this.#now + step.over)
      this.#begin = Math.min(this.#begin, this.#now)
      this.#steady = undefined
      return this.#paced.finishWithin(step.over)
    }
    if (step.do === 'begin upgrade') {
      if (!server.isFinished && this.#now < this.#end) server.pendingUpgrades++
    } else if (step.do === 'end upgrade') {
      if (server.pendingUpgrades === 0) return
      server.pendingUpgrades--
      if (step.opens) this.#add(1)
    } else if (step.do === 'add') {
      if (!server.isFinished && this.#now < this.#end) this.#add(step.count, step.kind)
    } else this.#change(step.do, [...server.connections][step.of])
  }

  #add (count: number, kind = {}): void {
    this.#changed()
    this.#addedAt = this.#now
    this.server.add(count, kind)
  }

  #changed (): void {
    // Within the delay, the number at the begin is another one.
    if (this.#hasBegun) this.#steady = undefined
  }

  #change (what: 'leave' | 'fail' | 'lose' | 'return', guest: Guest | undefined): void {
    if (guest === undefined) return
    if (what === 'lose') {
      if (guest.counts) guest.lose()
    } else if (what === 'return') {
      guest.transport.away = undefined
    } else {
      this.#changed()
      if (what === 'leave') guest.leave()
      else guest.end('killed')
    }
  }

  /** In small parts, because a rule may be broken for a short time only. */
  advance (ms: number): void {
    for (let left = ms; left > 0; left -= 50) {
      if (!this.#hasBegun && this.#steady !== undefined) this.#steady = this.#waiting.length
      this.server.clock.advance(Math.min(50, left))
      this.#check()
    }
  }

  #check (): void {
    const passed = this.#now - this.#begin
    if (passed >= 0 && this.#now < this.#end && this.#steady !== undefined) {
      const mean = (ms: number): number => this.#steady! * ms / (this.#end - this.#begin)
      const before = passed - stepTime - 1
      const least = Math.min(mean(before), 10 * before) - 1
      equal(this.#turns < mean(passed) + 0.001, true, `${this.#turns} of ${mean(passed)} turns`)
      equal(this.#turns > least - 0.001, true, `${this.#turns} turns of at least ${least}`)
    }
    if (this.#now > Math.max(this.#end, this.#addedAt) + stepTime && this.#turns < 1000) {
      equal(this.#waiting.length, 0, 'connections without a turn')
    }
  }

  async checkEnd (): Promise<void> {
    await Promise.resolve()
    const { server } = this
    const isEmpty = this.#hasBegun && server.connections.size + server.pendingUpgrades === 0
    this.#emptySince = isEmpty ? this.#emptySince ?? this.#now : undefined
    const latest = this.#end + 2 * closeTimeout
    const isTimeOver = this.#now >= latest
    if (server.isFinished) equal(isEmpty || isTimeOver, true, 'an early end')
    else {
      equal(this.#now > latest, false, 'a drain that is too long')
      const since = this.#now - (this.#emptySince ?? this.#now)
      equal(since > stepTime, false, 'a drain that waits for nothing')
    }
    equal(server.refusals <= 1, true, 'upgrades that are refused twice')
  }

  async rest (): Promise<void> {
    for (let i = 0; i < 1000 && !this.server.isFinished; i++) {
      this.advance(50)
      await this.checkEnd()
    }
    equal(this.server.isFinished, true, 'an end')
    equal(this.server.clock.runningTimers, 0, 'timers')
    equal(this.server.connections.size === 0 || this.#now >= this.#end, true, 'all are closed')
  }
}

export const drains = suiteOf('drains', histories, async ({ delay, over, open, steps }) => {
  const drain = new Drain(delay, over, (server) => {
    for (const [count, kind] of open) server.add(count, kind)
  })
  for (const step of steps) {
    drain.do(step)
    await drain.checkEnd()
  }
  await drain.rest()
})
