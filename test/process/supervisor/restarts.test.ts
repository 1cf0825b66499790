import t from 'tap'
import {
  RestartBackoff,
  PendingRestart,
  RestartIntensity
} from '../../../lib/process/supervisor/restarts.js'
import { longestDelay } from '../../../lib/shared/duration.js'
import type { SupervisedChild } from '../../../lib/process/supervisor/child.js'
import type { ProcessTimers } from '../../../lib/process/actor/timers.js'

function build (
  maxRestarts: number,
  period: number
): { intensity: RestartIntensity, pass(ms: number): void } {
  let clock = 1000
  return {
    intensity: new RestartIntensity(maxRestarts, period, { now: () => clock }),
    pass: (ms) => {
      clock += ms
    }
  }
}

t.test('allows maxRestarts restarts within a period', async (t) => {
  const { intensity, pass } = build(2, 100)
  t.ok(intensity.recordRestart())
  pass(60)
  t.ok(intensity.recordRestart())
  pass(39)
  t.notOk(intensity.recordRestart())
})

t.test('restarts older than a period are forgotten', async (t) => {
  const { intensity, pass } = build(1, 100)
  for (let i = 0; i < 5; i++) {
    t.ok(intensity.recordRestart())
    pass(100)
  }
})

t.test('allows no restart when maxRestarts is 0', async (t) => {
  t.notOk(build(0, 100).intensity.recordRestart())
})

t.test('pauses the clock while one or more restarts are delayed', async (t) => {
  const { intensity, pass } = build(1, 100)
  t.ok(intensity.recordRestart())
  intensity.pauseClock()
  pass(500)
  intensity.pauseClock()
  pass(500)
  intensity.resumeClock()
  pass(500)
  intensity.resumeClock()
  pass(99)
  t.notOk(intensity.recordRestart(), '99 ms of running time')
  pass(1)
  t.notOk(intensity.recordRestart())
  pass(100)
  t.ok(intensity.recordRestart())
  intensity.pauseClock()
  pass(100)
  t.notOk(intensity.recordRestart(), 'while one waits, too')
})

const terms = { initial: 10, max: 100, factor: 2, jitter: 0.1 }

t.test('returns no delay without settings', async (t) => {
  t.equal(new RestartBackoff({ backoff: undefined, period: 5 }).nextDelay(0), 0)
})

t.test('doubles the delay with each failure in a row, up to the maximum', async (t) => {
  const backoff = new RestartBackoff({ backoff: terms, period: 50 }, () => 0.5)
  t.strictSame([0, 0, 49, 0, 0, 0].map((ran) => backoff.nextDelay(ran)), [10, 20, 40, 80, 100, 100])
  t.equal(backoff.nextDelay(50), 10, 'a child that ran for a whole period starts a new row')
})

t.test('the jitter is a share of the delay, both ways', async (t) => {
  t.equal(new RestartBackoff({ backoff: terms, period: 50 }, () => 0).nextDelay(0), 9)
  t.equal(new RestartBackoff({ backoff: terms, period: 50 }, () => 1).nextDelay(0), 11)
  const delay = new RestartBackoff({ backoff: terms, period: 50 }).nextDelay(0)
  t.ok(delay >= 9 && delay <= 11)
})

t.test('never returns a delay that is too long for a timer', async (t) => {
  const endless = new RestartBackoff(
    { backoff: { ...terms, initial: longestDelay, max: longestDelay, factor: 1000 }, period: 50 },
    () => 1
  )
  t.equal(endless.nextDelay(0), longestDelay)
})

/** Children that wait for the same restart, with a clock that the test sets. */
function waiting (count: number, maxRestarts = 1) {
  let now = 0
  const intensity = new RestartIntensity(maxRestarts, 100, { now: () => now })
  const children = Array.from(
    { length: count },
    () => ({ pendingRestart: undefined }) as SupervisedChild
  )
  const timer = { delay: 0, cancelled: 0, over: () => {} }
  const timers = {
    after (delay: number, over: () => void) {
      Object.assign(timer, { delay, over })
      return { cancel () { timer.cancelled++ } }
    }
  } as unknown as ProcessTimers
  let overs = 0
  intensity.recordRestart()
  const pending = new PendingRestart(children, intensity, timers, 50, () => { overs++ })
  return {
    pending,
    children,
    timer,
    intensity,
    over: () => overs,
    pass: (ms: number) => {
      now += ms
    }
  }
}

t.test('returns the waiting children in order', async (t) => {
  const { pending, children, timer, over } = waiting(3)
  t.ok(children.every((child) => child.pendingRestart === pending))
  t.equal(timer.delay, 50)
  timer.over()
  t.equal(over(), 1)
  const taken = pending.takeChildren()
  t.ok(taken.length === 3 && taken.every((child, i) => child === children[i]))
  t.ok(children.every((child) => child.pendingRestart === undefined))
  t.strictSame(pending.takeChildren(), [])
})

t.test('leaves removed children out, and cancels the timer with the last one', async (t) => {
  const { pending, children: [a, b], timer } = waiting(2)
  pending.removeChild(a!)
  t.equal(a!.pendingRestart, undefined)
  t.equal(timer.cancelled, 0)
  t.equal(b!.pendingRestart, pending)
  pending.removeChild(b!)
  t.equal(timer.cancelled, 1)
})

t.test('pauses the clock of the intensity while a child waits', async (t) => {
  const { pending, children, intensity, pass } = waiting(2)
  pass(1000)
  pending.removeChild(children[0]!)
  pass(1000)
  pending.removeChild(children[1]!)
  pass(99)
  t.notOk(intensity.recordRestart(), 'the first restart is 99 ms old, not 2 099')
  pass(100)
  t.ok(intensity.recordRestart())
})
