// The fields `on_target_exit` and `park`.
import t from 'tap'
import { parseControl } from '../../../lib/connection/config.js'
import { success } from '../../../lib/shared/result.js'
import { accepted, controlProblem, limits, pid, problem } from './config-support.js'

const parks = { target_pid: 'room', on_target_exit: 'park' }

t.test('accepts park from 100 ms to 5 min', async (t) => {
  t.match(accepted(parks), { onTargetExit: 'park', park: undefined })
  for (const [park, ms] of [[100, 100], ['100ms', 100], ['5m', 300_000], [300_000, 300_000]]) {
    t.match(accepted({ ...parks, park }), { onTargetExit: 'park', park: ms })
    t.same(parseControl({ park }, limits), success({ park: ms }))
  }
  t.same(parseControl({ park: null }, limits), success({ park: null }))
  t.same(parseControl({ on_target_exit: null }, limits), success({ onTargetExit: 'close' }))
})

t.test('refuses other values', async (t) => {
  for (const park of [99, '5.1m', 300_001, NaN, -1, '', 'soon', true, {}]) {
    t.match(problem({ ...parks, park }), /^park: /)
    t.match(controlProblem({ park }), /^park: /)
  }
  t.match(problem({ ...parks, park: null }), /^park: /)
  for (const on_target_exit of ['Park', '', 1, true, {}]) {
    t.match(problem({ ...parks, on_target_exit }), /^on_target_exit: /)
    t.match(controlProblem({ on_target_exit }), /^on_target_exit: /)
  }
})

t.test('needs the name of a target to park', async (t) => {
  const needsName = "on_target_exit: 'park' needs a target_pid that is a name or a key"
  t.equal(problem({ ...parks, target_pid: pid }), needsName)
  t.match(accepted({ target_pid: pid, on_target_exit: 'close', park: 100 }), { park: 100 })
  const needsExit = "park: expected on_target_exit: 'park' beside it"
  t.equal(problem({ target_pid: 'room', park: 100 }), needsExit)
})
