import t from 'tap'
import { EngineState } from '../../../lib/cluster/engines/engine-state.js'

const unavailable = { code: 'FST_CLUSTER_UNAVAILABLE' }

t.test('opens when the engine is up for the first time, and reports only changes', async (t) => {
  const events: boolean[] = []
  const state = new EngineState('test')
  t.throws(() => { state.assertUp() }, unavailable)
  const opened = state.open({ state: (up) => { events.push(up) } }, () => {})
  for (const up of [false, true, true, false, false, true]) state.setUp(up)
  await opened
  t.strictSame(events, [true, false, true])
  state.assertUp()
  t.ok(state.up)
  await t.rejects(state.open({ state: () => {} }, () => {}), unavailable, 'and only once')
})

t.test('fails to open with a permanent error', async (t) => {
  const state = new EngineState('test')
  await t.rejects(
    state.open({ state: () => {} }, () => {
      state.failOpening(new Error('no'))
    }),
    { message: 'no' }
  )
})

t.test(
  'is down after close, reports nothing more, and rejects a pending open with the reason',
  async (t) => {
    const state = new EngineState('test')
    const opened = t.rejects(
      state.open(
        {
          state: () => {
            t.fail('it is closed')
          }
        },
        () => {}
      ),
      { ...unavailable, cause: { message: 'refused' } }
    )
    state.close(new Error('refused'))
    await opened
    t.ok(state.closed)
    state.setUp(true)
    t.notOk(state.up)
    await t.rejects(
      new EngineState('test').open({ state: () => {} }, () => {
        throw new Error('at once')
      }),
      { message: 'at once' }
    )
  }
)
