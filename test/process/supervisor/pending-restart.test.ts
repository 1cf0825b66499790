import t from 'tap'
import { RestartIntensity } from '../../../lib/process/supervisor/intensity.js'
import { PendingRestart } from '../../../lib/process/supervisor/pending-restart.js'
import type { SupervisedChild } from '../../../lib/process/supervisor/child.js'
import type { ProcessTimers } from '../../../lib/process/actor/timers.js'

/** Some children that wait for the same restart, with a clock that the test sets. */
function waiting (count: number, maxRestarts = 1) {
  let now = 0
  const intensity = new RestartIntensity(maxRestarts, 100, () => now)
  const children = Array.from({ length: count }, () => ({ pendingRestart: undefined }) as SupervisedChild)
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
  return { pending, children, timer, intensity, over: () => overs, pass: (ms: number) => { now += ms } }
}

t.test('they wait together, and are taken in order', async (t) => {
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

t.test('who leaves is not taken; the clock is stopped with the last', async (t) => {
  const { pending, children: [a, b], timer } = waiting(2)
  pending.removeChild(a!)
  t.equal(a!.pendingRestart, undefined)
  t.equal(timer.cancelled, 0)
  t.equal(b!.pendingRestart, pending)
  pending.removeChild(b!)
  t.equal(timer.cancelled, 1)
})

t.test('the clock of the intensity stands still as long as one waits', async (t) => {
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
