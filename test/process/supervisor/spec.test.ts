import t from 'tap'
import { planChild, planSupervisor } from '../../../lib/process/supervisor/spec.js'
import type { ChildSpec, SupervisorSpec } from '../../../types/processes.js'

const start = (): void => {}

t.test('fills in defaults, and converts durations to milliseconds', async (t) => {
  t.strictSame(planSupervisor({}), {
    name: undefined,
    strategy: 'one_for_one',
    maxRestarts: 3,
    period: 5000,
    backoff: undefined,
    children: []
  })
  t.match(planSupervisor({ backoff: { initial: '1s', max: '1m' } }).backoff, {
    initial: 1000,
    max: 60_000,
    factor: 2,
    jitter: 0.1
  })
  t.strictSame(planChild({ id: 'a', start }), {
    id: 'a',
    start,
    args: [],
    name: undefined,
    restart: 'permanent',
    shutdown: 5000,
    mailboxLimit: undefined,
    trapLinks: undefined
  })
  t.match(
    planChild({ id: 'a', start: { name: 'inner', children: [{ id: 'b', start }] }, shutdown: 0 }),
    { shutdown: 0, start: { name: 'inner', children: [{ id: 'b' }] } }
  )
})

t.test('names the field when a supervisor specification is wrong', async (t) => {
  const wrong: Array<[unknown, RegExp]> = [
    [undefined, /object/],
    [null, /object/],
    [5, /object/],
    [[], /object/],
    [{ strat: 1 }, /'strat'/],
    [{ strategy: 'one' }, /'strategy'/],
    [{ strategy: null }, /'strategy'/],
    [{ maxRestarts: -1 }, /'maxRestarts'/],
    [{ maxRestarts: 1.5 }, /'maxRestarts'/],
    [{ maxRestarts: '3' }, /'maxRestarts'/],
    [{ period: 0 }, /'period'/],
    [{ period: 'soon' }, /'period'/],
    [{ period: null }, /'period'/],
    [{ children: {} }, /'children'/],
    [{ children: [null] }, /child/],
    [
      {
        children: [
          { id: 'a', start },
          { id: 'a', start }
        ]
      },
      /two children have the id 'a'/
    ],
    [{ backoff: null }, /backoff/],
    [{ backoff: { initial: 1 } }, /'backoff.max'/],
    [{ backoff: { max: 1 } }, /'backoff.initial'/],
    [{ backoff: { initial: 0, max: 1 } }, /'backoff.initial'/],
    [{ backoff: { initial: 2, max: 1 } }, /'backoff.max'/],
    [{ backoff: { initial: 1, max: 1, factor: 0.5 } }, /'backoff.factor'/],
    [{ backoff: { initial: 1, max: 1, factor: '2' } }, /'backoff.factor'/],
    [{ backoff: { initial: 1, max: 1, jitter: 2 } }, /'backoff.jitter'/],
    [{ backoff: { initial: 1, max: 1, jitter: '0' } }, /'backoff.jitter'/],
    [{ backoff: { initial: 1, max: 1, jitter: NaN } }, /'backoff.jitter'/],
    [{ backoff: { initial: 1, max: 1, steps: 3 } }, /'steps'/]
  ]
  for (const [spec, message] of wrong) {
    t.throws(() => planSupervisor(spec as SupervisorSpec), {
      code: 'FST_PROCESS_INVALID_SPEC',
      message
    })
  }
  t.throws(() => planSupervisor({ name: '@no name' }), { code: 'FST_PROCESS_INVALID_NAME' })
})

t.test('names the field when a child specification is wrong', async (t) => {
  const wrong: Array<[object, RegExp]> = [
    [{ id: undefined }, /'id'/],
    [{ id: '' }, /'id'/],
    [{ id: 5 }, /'id'/],
    [{ id: 'x'.repeat(257) }, /'id'/],
    [{ start: undefined }, /'start'/],
    [{ start: null }, /'start'/],
    [{ start: 'body' }, /'start'/],
    [{ start: { strategy: 'none' } }, /'strategy'/],
    [{ start: {}, args: [1] }, /'args'/],
    [{ start: {}, mailboxLimit: 5 }, /'mailboxLimit'/],
    [{ start: {}, trapLinks: true }, /'trapLinks'/],
    [{ args: 'x' }, /'args'/],
    [{ restart: 'never' }, /'restart'/],
    [{ shutdown: -1 }, /'shutdown'/],
    [{ mailboxLimit: 0 }, /'mailboxLimit'/],
    [{ trapLinks: 1 }, /'trapLinks'/],
    [{ backoff: {} }, /'backoff'/]
  ]
  for (const [fields, message] of wrong) {
    t.throws(() => planChild({ id: 'a', start, ...fields } as ChildSpec), {
      code: 'FST_PROCESS_INVALID_SPEC',
      message
    })
  }
  t.throws(() => planChild({ id: 'a', start, name: '' }), { code: 'FST_PROCESS_INVALID_NAME' })
})
