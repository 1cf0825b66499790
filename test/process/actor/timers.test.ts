import t from 'tap'
import { ManualClock } from '../../properties/clock.js'
import { ProcessTimers } from '../../../lib/process/actor/timers.js'

t.test('runs `after` once and `every` repeatedly', async (t) => {
  const clock = new ManualClock()
  const timers = new ProcessTimers(clock)
  const ran: string[] = []
  timers.after(10, () => { ran.push('after') })
  timers.every(20, () => { ran.push('every') })
  clock.advance(40)
  t.strictSame(ran, ['after', 'every', 'every'])
  timers.cancelAll()
  t.equal(clock.runningTimers, 0)
})

t.test('allows a timer to be cancelled twice', async (t) => {
  const clock = new ManualClock()
  const timers = new ProcessTimers(clock)
  const timer = timers.after(10, () => t.fail('ran'))
  const other = timers.every(10, () => t.fail('ran'))
  for (let i = 0; i < 2; i++) {
    timer.cancel()
    other.cancel()
  }
  clock.advance(20)
})

t.test('cancelAll cancels all timers', async (t) => {
  const clock = new ManualClock()
  const timers = new ProcessTimers(clock)
  timers.after(10, () => t.fail('ran'))
  timers.every(10, () => t.fail('ran'))
  timers.cancelAll()
  clock.advance(20)
})
