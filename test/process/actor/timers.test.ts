import t from 'tap'
import { mock } from 'node:test'
import { ProcessTimers } from '../../../lib/process/actor/timers.js'

t.beforeEach(() => { mock.timers.enable({ apis: ['setTimeout', 'setInterval'] }) })
t.afterEach(() => { mock.timers.reset() })

t.test('runs `after` once and `every` repeatedly', async (t) => {
  const timers = new ProcessTimers()
  const ran: string[] = []
  timers.after(10, () => { ran.push('after') })
  timers.every(20, () => { ran.push('every') })
  mock.timers.tick(40)
  t.strictSame(ran, ['after', 'every', 'every'])
  timers.cancelAll()
})

t.test('allows a timer to be cancelled twice', async (t) => {
  const timers = new ProcessTimers()
  const timer = timers.after(10, () => t.fail('ran'))
  const other = timers.every(10, () => t.fail('ran'))
  for (let i = 0; i < 2; i++) {
    timer.cancel()
    other.cancel()
  }
  mock.timers.tick(20)
})

t.test('cancelAll cancels all timers', async (t) => {
  const timers = new ProcessTimers()
  timers.after(10, () => t.fail('ran'))
  timers.every(10, () => t.fail('ran'))
  timers.cancelAll()
  mock.timers.tick(20)
})
