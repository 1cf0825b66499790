import t from 'tap'
import { buildRuntime, deferred, drain, settle } from '../helpers.js'
import { SupervisedChild } from '../../../lib/process/supervisor/child.js'
import { PendingRestart, RestartIntensity } from '../../../lib/process/supervisor/restarts.js'
import { planChild } from '../../../lib/process/supervisor/spec.js'
import type { PlainChild, Process } from '../../../types/processes.js'

const origin = { cause: 'supervisor' } as const

/** A child, with a fake supervisor that only records the exit reasons of its children. */
async function childOf (
  spec: Partial<PlainChild> = {},
  backoff?: { initial: number, max: number, factor: number, jitter: number }
) {
  const { runtime, processes } = buildRuntime()
  const ends: string[] = []
  const supervisor = runtime.spawner.start(
    async (self: Process) => {
      await self.serve({
        '@exit': ({ reason }) => {
          ends.push(reason)
        }
      })
    },
    {},
    'supervisor',
    'supervisor'
  )
  const child = new SupervisedChild(
    planChild({ id: 'one', start: (self) => drain(self.inbox), ...spec }),
    supervisor,
    runtime.clock,
    { backoff, period: 5000 }
  )
  const start = () => {
    const { pid } = runtime.spawner.start(
      child.plan.start as (self: Process) => unknown,
      {},
      'process',
      'one'
    )
    child.processStarted(pid, runtime)
    return pid
  }
  await settle()
  return { runtime, processes, supervisor, child, start, ends }
}

t.test('restarts a child depending on its restart type and the exit reason', async (t) => {
  const reasons = ['normal', 'shutdown', 'error', 'killed']
  for (const [restart, expected] of [
    ['permanent', [true, true, true, true]],
    ['transient', [false, false, true, true]],
    ['temporary', [false, false, false, false]]
  ] as const) {
    const { child } = await childOf({ restart })
    t.strictSame(
      reasons.map((reason) => child.restartsAfter(reason)),
      expected,
      restart
    )
  }
})

t.test('notifies its supervisor of its exit once', async (t) => {
  const { processes, child, start, ends } = await childOf()
  const pid = start()
  t.equal(child.pid, pid)
  processes.exit(pid, 'boom')
  await settle()
  t.strictSame(ends, ['boom'])
})

t.test('is in use while it has a process or will be restarted', async (t) => {
  const { processes, child, start, supervisor, runtime } = await childOf({ restart: 'transient' })
  t.notOk(child.inUse, 'not started')
  let pid = start()
  t.ok(child.inUse)
  processes.exit(pid, 'normal')
  t.notOk(child.inUse, 'it does not come back, though its supervisor has not dealt with that yet')
  pid = start()
  t.ok(child.inUse, 'started again')
  processes.exit(pid, 'boom')
  t.ok(child.inUse, 'it comes back')
  child.pid = undefined
  t.notOk(child.inUse)
  const pending = new PendingRestart(
    [child],
    new RestartIntensity(1, 100, runtime.clock),
    supervisor.timers,
    1e6,
    () => {}
  )
  t.ok(child.inUse, 'it waits for its restart')
  await child.stop(runtime, origin)
  t.notOk(child.inUse)
  t.strictSame(pending.takeChildren(), [])
})

t.test('stop cancels the process once, and is no failure', async (t) => {
  const stopping = deferred()
  const asked: unknown[] = []
  const { runtime, processes, child, start, ends } = await childOf({
    start: async (self) => {
      for await (const { topic } of self.inbox) {
        asked.push(topic)
        await stopping.promise
      }
    }
  })
  const pid = start()
  const exit = processes.exited(pid)
  await settle()
  const stops = [child.stop(runtime, origin), child.stop(runtime, origin)]
  t.equal(stops[0], stops[1])
  await settle()
  t.equal(child.pid, pid, 'until it has ended')
  stopping.resolve()
  await Promise.all(stops)
  t.strictSame(asked, ['@cancel'])
  t.match(await exit, { reason: 'shutdown' })
  t.equal(child.pid, undefined)
  t.strictSame(ends, [])
  await child.stop(runtime, origin)
})

t.test('stop ends the process after `shutdown` milliseconds', async (t) => {
  const { runtime, processes, child, start } = await childOf({
    shutdown: 1,
    start: () => new Promise(() => {})
  })
  const pid = start()
  await settle()
  await child.stop(runtime, origin)
  t.notOk(processes.alive(pid))
})

t.test('delays each restart longer when it has a backoff', async (t) => {
  const { child, start } = await childOf({}, { initial: 10, max: 1000, factor: 2, jitter: 0 })
  start()
  t.strictSame([child.restartDelay(), child.restartDelay(), child.restartDelay()], [10, 20, 40])
  const plain = await childOf()
  t.equal(plain.child.restartDelay(), 0)
})
