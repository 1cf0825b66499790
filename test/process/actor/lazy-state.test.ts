import t from 'tap'
import { build, settle } from '../helpers.js'
import { LazyState } from '../../../lib/process/actor/lazy-state.js'
import type { Process } from '../../../types/processes.js'

t.test('creates nothing before its first use', async (t) => {
  const { toldStopped: turnedAway, ...made } = new LazyState()
  t.notOk(turnedAway)
  t.ok(Object.values(made).every((one) => one === undefined))
})

t.test('creates each object once, and releases it at the end of the process', async (t) => {
  const processes = build(t)
  let self!: Process
  const pid = processes.spawn((process) => {
    self = process
    return self.serve({})
  })
  await settle()
  const { signal, groups, log } = self
  t.equal(self.signal, signal)
  t.equal(self.groups, groups)
  t.equal(self.log, log)
  self.sendEvery('1h', pid, 'tick')
  self.monitor(processes.spawn((other) => other.serve({})))
  t.equal(processes.info(pid)?.monitors.length, 1)
  processes.exit(pid)
  t.ok(signal.aborted)
})
