import t from 'tap'
import { longestDelay, toMilliseconds } from '../../lib/shared/duration.js'
import type { Duration } from '../../types/pid.js'

t.test('accepts milliseconds and strings with units', async (t) => {
  const cases: Array<[Duration, number]> = [
    [0, 0],
    [1.5, 1.5],
    [longestDelay, longestDelay],
    ['500ms', 500],
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['0s', 0]
  ]
  for (const [value, expected] of cases) t.equal(toMilliseconds(value), expected, String(value))
})

t.test('throws for anything else', async (t) => {
  const wrong = [
    '',
    '5',
    '5 s',
    '1 apple',
    '-1s',
    '1d',
    's',
    '1e3ms',
    '1S',
    `${'1'.repeat(70)}ms`,
    NaN,
    Infinity,
    -1,
    longestDelay + 1,
    null,
    undefined,
    {},
    [],
    Symbol('5s'),
    5n,
    true
  ]
  for (const value of wrong) {
    t.throws(
      () => toMilliseconds(value as Duration),
      { code: 'FST_PROCESS_INVALID_DURATION' },
      String(value)
    )
  }
})

t.test('includes both ends of a range', async (t) => {
  t.equal(toMilliseconds(5, 5, 6), 5)
  t.equal(toMilliseconds(6, 5, 6), 6)
  t.throws(() => toMilliseconds(4, 5, 6), {
    code: 'FST_PROCESS_INVALID_DURATION',
    message: /5 to 6 ms/
  })
  t.throws(() => toMilliseconds('7ms', 5, 6), { code: 'FST_PROCESS_INVALID_DURATION' })
})

t.test('names the range in the error', async (t) => {
  for (const wrong of ['soon', '600h', -1, NaN]) {
    t.throws(() => toMilliseconds(wrong), { message: /0 to 2147483647 ms \(24\.8 days\)$/ })
  }
  for (const wrong of ['soon', 4, '7ms']) {
    t.throws(() => toMilliseconds(wrong, 5, 6), { message: /5 to 6 ms$/ })
  }
})
