import t from 'tap'
import { ManualClock } from '../properties/clock.js'
import { DeadlineTimer } from '../../lib/shared/deadline-timer.js'
import type { Test } from 'tap'
import type { Deadline, Slot } from '../../lib/shared/deadline-timer.js'

class Once implements Deadline {
  slot: Slot | undefined
  at: number | undefined
  late: number | undefined
  readonly #clock: ManualClock
  readonly #then: (self: Once) => void

  constructor (clock: ManualClock, then: (self: Once) => void = () => {}) {
    this.#clock = clock
    this.#then = then
  }

  due (late: number): void {
    this.at = this.#clock.time
    this.late = late
    this.#then(this)
  }
}

/** A test with a manual clock, which does not use the real event loop. */
function test (
  name: string,
  body: (t: Test, clock: ManualClock, wheel: DeadlineTimer) => void
): void {
  t.test(name, async (t) => {
    const clock = new ManualClock()
    body(t, clock, new DeadlineTimer(clock))
  })
}

/** Runs loop iterations until nothing is due. @returns the number of deadlines in each of them */
function breaths (clock: ManualClock, done: () => number): number[] {
  const turns: number[] = []
  for (let before = done(); clock.busy || clock.runningTimers > 0; before = done()) {
    clock.yieldOnce()
    turns.push(done() - before)
  }
  return turns
}

test('calls a deadline once, and never early', (t, clock, wheel) => {
  for (const delay of [0, 1, 7, 20, 33.3, 999, 1001, 70_000]) {
    const begun = clock.time
    let times = 0
    const deadline = new Once(clock, () => { times++ })
    wheel.schedule(deadline, delay)
    clock.advance(delay + 300)
    t.ok(deadline.at! - begun >= delay, `${delay} ms took ${deadline.at! - begun}`)
    t.ok(deadline.late! >= 0)
    clock.advance(100_000)
    t.equal(times, 1)
    t.equal(deadline.slot, undefined)
    t.equal(wheel.size, 0)
  }
})

test('uses one timer for deadlines at one instant', (t, clock, wheel) => {
  const deadlines = Array.from({ length: 1000 }, () => new Once(clock))
  for (const deadline of deadlines) wheel.schedule(deadline, 60_000)
  t.equal(wheel.size, 1)
  for (const deadline of deadlines) wheel.cancel(deadline)
  t.equal(wheel.size, 0)
})

test('moves a deadline that is scheduled again, and drops a cancelled one', (t, clock, wheel) => {
  const moved = new Once(clock)
  const cancelled = new Once(clock)
  wheel.schedule(moved, 5)
  wheel.schedule(cancelled, 5)
  wheel.schedule(moved, 60_000)
  wheel.cancel(cancelled)
  wheel.cancel(cancelled)
  clock.advance(59_999)
  t.equal(moved.at, undefined)
  t.equal(cancelled.at, undefined)
  t.equal(wheel.size, 1)
  wheel.cancel(moved)
  t.equal(wheel.size, 0)
  t.equal(clock.runningTimers, 0)
})

test('spreads thousands of due deadlines over iterations of the event loop', (t, clock, wheel) => {
  let due = 0
  const deadlines = Array.from({ length: 2000 }, () => new Once(clock, () => {
    due++
    clock.time += 0.05
  }))
  for (const deadline of deadlines) wheel.schedule(deadline, 5)
  wheel.cancel(deadlines[1999])
  clock.advance(20)
  const turns = [due, ...breaths(clock, () => due)]
  t.equal(due, 1999)
  // The budget is 0.5 ms, a deadline takes 50 us, and the clock is read after every 16.
  t.equal(Math.max(...turns), 16)
  t.equal(wheel.size, 0)
})

test('spreads deadlines of many instants in order after a stall', (t, clock, wheel) => {
  const order: number[] = []
  const instants = 20
  for (let instant = 1; instant <= instants; instant++) {
    for (let i = 0; i < 50; i++) {
      wheel.schedule(new Once(clock, () => {
        order.push(instant)
        clock.time += 0.05
      }), instant * 10)
    }
  }
  clock.time += 250
  clock.advance(0)
  const turns = [order.length, ...breaths(clock, () => order.length)]
  t.equal(order.length, instants * 50)
  t.equal(Math.max(...turns), 16)
  t.strictSame(order, [...order].sort((a, b) => a - b))
  t.equal(wheel.size, 0)
})

test('lets a due deadline cancel the others and schedule itself again', (t, clock, wheel) => {
  const others = Array.from({ length: 3 }, () => new Once(clock))
  let times = 0
  const first = new Once(clock, (self) => {
    for (const other of others) wheel.cancel(other)
    if (++times < 3) wheel.schedule(self, 1)
  })
  wheel.schedule(first, 5)
  for (const other of others) {
    wheel.schedule(other, 60_000)
    wheel.schedule(other, 5)
  }
  clock.advance(100_000)
  t.equal(times, 3)
  t.strictSame(others.map(({ at }) => at), [undefined, undefined, undefined])
  t.equal(wheel.size, 0)
})

test('passes the lateness of a deadline after a stall', (t, clock, wheel) => {
  const deadline = new Once(clock)
  wheel.schedule(deadline, 10)
  clock.time += 150
  clock.advance(0)
  // The clock began at a multiple of 10 ms: the deadline was due 10 ms later.
  t.equal(deadline.late, 140)
})

test('accepts the longest delay of a timer', (t, clock, wheel) => {
  const deadline = new Once(clock)
  wheel.schedule(deadline, 2 ** 31 - 1)
  clock.advance(2 ** 31 - 2)
  t.equal(deadline.at, undefined)
  wheel.cancel(deadline)
})
