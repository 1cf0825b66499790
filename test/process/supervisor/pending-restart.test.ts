import t from 'tap'
import { RestartIntensity } from '../../../lib/process/supervisor/intensity.js'
import { PendingRestart } from '../../../lib/process/supervisor/pending-restart.js'
import type { SupervisedChild } from '../../../lib/process/supervisor/child.js'
import type { ProcessTimers } from '../../../lib/process/actor/timers.js'

/** Some children that wait for the same restart, with a clock that the test sets. */
function waiting (count: number, maxRestarts = 1) {
  let now = 0
  const intensity = new RestartIntensity(maxRestarts, 100, () => now)
  const children = Array.from({ length: count }, () => ({ pending: undefined }) as SupervisedChild)
  const timer = { delay: 0, cancelled: 0, over: () => {} }
  const timers = {
    after (delay: number, over: () => void) {
      Object.assign(timer, { delay, over })
      return { cancel () { timer.cancelled++ } }
    }
  } as unknown as ProcessTimers
  let overs = 0
  intensity.allows()
  const pending = new PendingRestart(children, intensity, timers, 50, () => { overs++ })
  return { pending, children, timer, intensity, over: () => overs, pass: (ms: number) => { now += ms } }
}

t.test('they wait together, and are taken in order', async (t) => {
  const { pending, children, timer, over } = waiting(3)
  t.ok(children.every((child) => child.pending === pending))
  t.equal(timer.delay, 50)
  timer.over()
  t.equal(over(), 1)
  const taken = pending.take()
  t.ok(taken.length === 3 && taken.every((child, i) => child === children[i]))
  t.ok(children.every((child) => child.pending === undefined))
  t.strictSame(pending.take(), [])
})

t.test('who leaves is not taken; the clock is stopped with the last', async (t) => {
  const { pending, children: [a, b], timer } = waiting(2)
  pending.leave(a!)
  t.equal(a!.pending, undefined)
  t.equal(timer.cancelled, 0)
  t.equal(b!.pending, pending)
  pending.leave(b!)
  t.equal(timer.cancelled, 1)
})

t.test('the clock of the intensity stands still as long as one waits', async (t) => {
  const { pending, children, intensity, pass } = waiting(2)
  pass(1000)
  pending.leave(children[0]!)
  pass(1000)
  pending.leave(children[1]!)
  pass(99)
  t.notOk(intensity.allows(), 'the first restart is 99 ms old, not 2 099')
  pass(100)
  t.ok(intensity.allows())
})
