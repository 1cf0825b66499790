import t from 'tap'
import { EngineState } from '../../../lib/cluster/engines/engine-state.js'

const unavailable = { code: 'FST_CLUSTER_UNAVAILABLE' }

t.test('it is open when the engine is up for the first time; only changes are told', async (t) => {
  const told: boolean[] = []
  const state = new EngineState('test')
  t.throws(() => { state.assertUp() }, unavailable)
  const opened = state.open({ state: (up) => { told.push(up) } }, () => {})
  for (const up of [false, true, true, false, false, true]) state.setUp(up)
  await opened
  t.strictSame(told, [true, false, true])
  state.assertUp()
  t.ok(state.up)
  await t.rejects(state.open({ state: () => {} }, () => {}), unavailable, 'and only once')
})

t.test('it fails with what no retry can mend', async (t) => {
  const state = new EngineState('test')
  await t.rejects(state.open({ state: () => {} }, () => { state.failOpening(new Error('no')) }), { message: 'no' })
})

t.test('closed, it is down, says nothing more, and tells who opens it why', async (t) => {
  const state = new EngineState('test')
  const opened = t.rejects(state.open({ state: () => { t.fail('it is closed') } }, () => {}), { ...unavailable, cause: { message: 'refused' } })
  state.close(new Error('refused'))
  await opened
  t.ok(state.closed)
  state.setUp(true)
  t.notOk(state.up)
  await t.rejects(new EngineState('test').open({ state: () => {} }, () => { throw new Error('at once') }), { message: 'at once' })
})
