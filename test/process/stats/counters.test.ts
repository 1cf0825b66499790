import t from 'tap'
import { Counters } from '../../../lib/process/stats/counters.js'
import { buildRuntime, deferred, drain } from '../helpers.js'
import { ManualClock } from '../../properties/clock.js'
import type { Pid } from '../../../types/pid.js'

function countExit (counters: Counters, reason: string): void {
  const pid = '1@local.1' as Pid
  const entity = { pid, kind: 'process', label: 'x', uptime: 0 } as const
  counters.processEnded(entity, { pid, reason }, undefined)
}

t.test('counts exits by reason, and as `other` after a hundred reasons', async (t) => {
  const counters = new Counters('local')
  for (let i = 0; i < 100; i++) countExit(counters, `reason ${i}`)
  countExit(counters, 'reason 7')
  countExit(counters, 'one too many')
  countExit(counters, 'and another')
  t.equal(Object.keys(counters.exited).length, 101)
  t.equal(counters.exited['reason 7'], 2)
  t.equal(counters.exited.other, 2)
})

t.test('counts a reason named __proto__', async (t) => {
  const counters = new Counters('local')
  countExit(counters, '__proto__')
  t.strictSame(Object.entries(counters.exited), [['__proto__', 1]])
})

t.test('counts a dead letter by its cause', async (t) => {
  const clock = new ManualClock()
  const { runtime, processes } = buildRuntime({ clock })
  processes.send('nobody', 'hello')
  const pid = processes.spawn((self) => self.serve({}))
  processes.send(pid, 'unknown')
  clock.run()
  t.same(runtime.counters.deadLettersBy, { none: 1, unhandled: 1, ended: 0 })
  processes.send(pid, 'left over')
  processes.send(pid, 'left over')
  processes.exit(pid)
  t.same(runtime.counters.deadLettersBy, { none: 1, unhandled: 1, ended: 2 })
  t.equal(processes.stats().deadLetters, 4)
})

t.test('counts a refused message by its cause', async (t) => {
  const clock = new ManualClock()
  const { runtime, processes } = buildRuntime({ clock, mailboxLimit: 1 })
  const busy = deferred()
  const full = processes.spawn((self) => drain(self.inbox))
  const stopping = processes.spawn(async (self) => { await busy.promise })
  const ended = processes.spawn((self) => {
    processes.exit(self.pid)
    t.equal(self.send(full, 'too late'), false)
  })
  clock.run()
  t.equal(processes.alive(ended), false)
  processes.cancel(stopping)
  t.equal(processes.send(full, 'first'), true)
  t.equal(processes.send(full, 'second'), false)
  t.equal(processes.send(stopping, 'too late'), false)
  t.match(runtime.counters.refusedBy, { ended: 1, full: 1, stopping: 1, remote: 0, slow: 0 })
  t.equal(processes.stats().refused, 3)
})

t.test('counts the restarts of children, and supervisors that give up', async (t) => {
  const { runtime, processes } = buildRuntime()
  const child = { id: 'child', start: () => { throw new Error('at once') } }
  const { pid } = processes.supervise({ maxRestarts: 2, children: [child] })
  t.match(await processes.exited(pid), { reason: 'restart_intensity' })
  t.equal(runtime.counters.restarts, 2)
  t.equal(runtime.counters.giveUps, 1)
})
