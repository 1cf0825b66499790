import { AsyncLocalStorage } from 'node:async_hooks'
import { mock } from 'node:test'
import t from 'tap'
import { ContextClock, nodeClock } from '../../lib/shared/clock.js'
import { Context } from '../../lib/shared/context.js'
import type { Clock } from '../../lib/shared/clock.js'

const inContext = new ContextClock(nodeClock, new Context())
const clocks: Array<readonly [string, Clock]> = [['node', nodeClock], ['context', inContext]]

for (const [name, clock] of clocks) {
  t.test(`${name}: runs a task once after its delay, unless it is cancelled`, async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] })
    t.teardown(() => { mock.timers.reset() })
    const ran: string[] = []
    clock.after(20, () => { ran.push('later') })
    clock.after(10, () => { ran.push('sooner') })
    const cancelled = clock.after(15, () => { ran.push('cancelled') })
    cancelled.cancel()
    cancelled.cancel()
    mock.timers.tick(9)
    t.strictSame(ran, [])
    mock.timers.tick(100)
    t.strictSame(ran, ['sooner', 'later'])
  })

  t.test(`${name}: runs a \`soon\` task in a microtask, and a \`later\` task after it`, async (t) => {
    const order: string[] = []
    await new Promise<void>((resolve) => {
      clock.later(() => {
        order.push('later')
        resolve()
      })
      clock.soon(() => { order.push('soon') })
      Promise.resolve().then(() => { order.push('promise') }, t.threw)
      order.push('now')
    })
    t.strictSame(order, ['now', 'soon', 'promise', 'later'])
  })

  t.test(`${name}: never goes back when the system clock is set`, async (t) => {
    const before = clock.now()
    mock.timers.enable({ apis: ['Date'], now: 0 })
    t.teardown(() => { mock.timers.reset() })
    t.equal(Date.now(), 0)
    t.ok(clock.now() >= before)
  })
}

/** The number of timers that keep the program running. */
function keeping (): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
}

t.test('keeps the program running with a timer, unless it is unreferenced', async (t) => {
  const before = keeping()
  const timer = nodeClock.after(60_000, () => {})
  t.equal(keeping(), before + 1)
  t.equal(timer.unref(), timer)
  t.equal(keeping(), before)
  timer.cancel()
})

t.test('a context clock runs its tasks in the context in which it was made', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const clock = storage.run('home', () => new ContextClock(nodeClock, new Context()))
  const stores: unknown[] = []
  await storage.run('request', async () => {
    const starts: Array<(task: () => void) => void> = [
      (task) => { clock.soon(task) },
      (task) => { clock.later(task) },
      (task) => { clock.after(0, task) }
    ]
    for (const start of starts) {
      await new Promise<void>((resolve) => {
        start(() => {
          stores.push(storage.getStore())
          resolve()
        })
      })
    }
  })
  t.strictSame(stores, ['home', 'home', 'home'])
})
