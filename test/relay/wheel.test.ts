import t from 'tap'
import { until } from '../helpers.js'
import { Wheel } from '../../lib/relay/wheel.js'
import type { Deadline, Slot } from '../../lib/relay/wheel.js'

class Once implements Deadline {
  slot: Slot | undefined
  at: number | undefined
  late: number | undefined
  readonly #then: (self: Once) => void

  constructor (then: (self: Once) => void = () => {}) {
    this.#then = then
  }

  due (late: number): void {
    this.at = performance.now()
    this.late = late
    this.#then(this)
  }
}

function turns (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}

t.test('a deadline is due once, and never early', async t => {
  const wheel = new Wheel()
  for (const delay of [0, 1, 7, 20, 33.3]) {
    const begun = performance.now()
    const deadline = await new Promise<Once>((resolve) => { wheel.schedule(new Once(resolve), delay) })
    t.ok(deadline.at! - begun >= delay, `${delay} ms took ${deadline.at! - begun}`)
    t.ok(deadline.late! >= -1)
    t.equal(deadline.slot, undefined)
    t.equal(wheel.size, 0)
  }
})

t.test('deadlines of one instant share a timer', async t => {
  const wheel = new Wheel()
  const deadlines = Array.from({ length: 1000 }, () => new Once())
  for (const deadline of deadlines) wheel.schedule(deadline, 60_000)
  t.ok(wheel.size <= 2, `${wheel.size} timers`)
  for (const deadline of deadlines) wheel.cancel(deadline)
  t.equal(wheel.size, 0)
})

t.test('a deadline that waits is moved by another schedule, and a cancelled one is not due', async t => {
  const wheel = new Wheel()
  const moved = new Once()
  const cancelled = new Once()
  wheel.schedule(moved, 5)
  wheel.schedule(cancelled, 5)
  wheel.schedule(moved, 60_000)
  wheel.cancel(cancelled)
  wheel.cancel(cancelled)
  await new Promise<void>((resolve) => { wheel.schedule(new Once(() => { resolve() }), 30) })
  t.equal(moved.at, undefined)
  t.equal(cancelled.at, undefined)
  t.equal(wheel.size, 1)
  wheel.cancel(moved)
  t.equal(wheel.size, 0)
})

t.test('thousands that are due at once are spread over turns of the event loop', async t => {
  const wheel = new Wheel()
  let due = 0
  let inOneTurn = 0
  let most = 0
  const busy = (): void => {
    due++
    most = Math.max(most, ++inOneTurn)
    const begun = performance.now()
    while (performance.now() - begun < 0.05);
  }
  const deadlines = Array.from({ length: 2000 }, () => new Once(busy))
  for (const deadline of deadlines) wheel.schedule(deadline, 5)
  wheel.cancel(deadlines[1999])
  await until(() => {
    inOneTurn = 0
    return due === 1999
  })
  t.ok(most < 1000, `${most} in one turn`)
  t.equal(wheel.size, 0)
})

t.test('also those of many instants that a stall has made due at once, in their order', async t => {
  const wheel = new Wheel()
  const order: number[] = []
  let inOneTurn = 0
  let most = 0
  const instants = 20
  for (let instant = 1; instant <= instants; instant++) {
    for (let i = 0; i < 50; i++) {
      wheel.schedule(new Once(() => {
        order.push(instant)
        most = Math.max(most, ++inOneTurn)
        const begun = performance.now()
        while (performance.now() - begun < 0.05);
      }), instant * 10)
    }
  }
  const begun = performance.now()
  while (performance.now() - begun < 250);
  await until(() => {
    inOneTurn = 0
    return order.length === instants * 50
  })
  t.ok(most <= 64, `${most} in one turn`)
  t.strictSame(order, [...order].sort((a, b) => a - b))
  t.equal(wheel.size, 0)
})

t.test('one that is due may cancel the others, and schedule itself again', async t => {
  const wheel = new Wheel()
  const others = Array.from({ length: 3 }, () => new Once())
  let times = 0
  await new Promise<void>((resolve) => {
    const first = new Once((self) => {
      for (const other of others) wheel.cancel(other)
      if (++times < 3) wheel.schedule(self, 1)
      else resolve()
    })
    wheel.schedule(first, 5)
    for (const other of others) {
      wheel.schedule(other, 60_000)
      wheel.schedule(other, 5)
    }
  })
  t.equal(times, 3)
  t.equal(wheel.size, 0)
})

t.test('it tells how late it is, after a stall of the event loop', async t => {
  const wheel = new Wheel()
  const due = new Promise<Once>((resolve) => { wheel.schedule(new Once(resolve), 10) })
  const begun = performance.now()
  while (performance.now() - begun < 150);
  const { late, at } = await due
  t.ok(late! > 100 && late! <= at! - begun, `${late} ms`)
})

t.test('the longest delay is not too long for a timer', async t => {
  const wheel = new Wheel()
  const deadline = new Once()
  wheel.schedule(deadline, 2 ** 31 - 1)
  for (let i = 0; i < 5; i++) await turns()
  t.equal(deadline.at, undefined)
  wheel.cancel(deadline)
})
