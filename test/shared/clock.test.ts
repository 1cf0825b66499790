import { mock } from 'node:test'
import t from 'tap'
import { systemClock } from '../../lib/shared/clock.js'

t.test('runs a task once after its delay, unless it is cancelled', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const ran: string[] = []
  systemClock.after(20, () => { ran.push('later') })
  systemClock.after(10, () => { ran.push('sooner') })
  systemClock.after(15, () => { ran.push('cancelled') }).cancel()
  mock.timers.tick(9)
  t.strictSame(ran, [])
  mock.timers.tick(100)
  t.strictSame(ran, ['sooner', 'later'])
})

t.test('runs a `soon` task after the current code and its promises', async (t) => {
  const order: string[] = []
  await new Promise<void>((resolve) => {
    systemClock.soon(() => {
      order.push('soon')
      resolve()
    })
    Promise.resolve().then(() => { order.push('promise') }, t.threw)
    order.push('now')
  })
  t.strictSame(order, ['now', 'promise', 'soon'])
})

t.test('counts from 1970, and never goes back when the system clock is set', async (t) => {
  const before = systemClock.now()
  t.ok(before > Date.UTC(2024))
  mock.timers.enable({ apis: ['Date'], now: 0 })
  t.teardown(() => { mock.timers.reset() })
  t.equal(Date.now(), 0)
  t.ok(systemClock.now() >= before)
})

t.test('does not keep the program running', async (t) => {
  const keeping = (): number =>
    process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = keeping()
  const task = systemClock.after(60_000, () => {})
  t.equal(keeping(), before)
  task.cancel()
})
