import { mock } from 'node:test'
import t from 'tap'
import { systemClock } from '../../lib/shared/clock.js'

t.test('a task runs once, after its time; one that is cancelled does not', async (t) => {
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

t.test('what is to run soon runs when what runs now is done, promises included', async (t) => {
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

t.test('it counts from 1970, and does not go back when somebody sets the clock of the machine', async (t) => {
  const before = systemClock.now()
  t.ok(before > Date.UTC(2024))
  mock.timers.enable({ apis: ['Date'], now: 0 })
  t.teardown(() => { mock.timers.reset() })
  t.equal(Date.now(), 0)
  t.ok(systemClock.now() >= before)
})

t.test('its timers do not keep a program running', async (t) => {
  const keeping = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = keeping()
  const task = systemClock.after(60_000, () => {})
  t.equal(keeping(), before)
  task.cancel()
})
