import t from 'tap'
import { Type } from '@sinclair/typebox'
import {
  choice,
  decimal,
  defaultsOf,
  duration,
  flag,
  integer,
  optionsCheck
} from '../../lib/shared/options.js'
import type { CheckTerms, Options } from '../../lib/shared/options.js'

const table = {
  size: integer(5, 'bytes'),
  level: integer(undefined, undefined, 0, 9),
  share: decimal(0.1, 0, 1),
  factor: decimal(2, 1),
  wait: duration('5s', 1),
  mode: choice(['fast', 'slow', 'off'], 'fast'),
  strict: flag(false),
  names: { schema: Type.Array(Type.String()), default: undefined, expected: 'an array of strings' }
} satisfies Options

function checkOf (options: Options, terms?: CheckTerms): (value: unknown) => void {
  return optionsCheck(options, (problem) => new RangeError(problem), terms)
}

t.test('accepts valid values, and options that are absent or undefined', async (t) => {
  const check = checkOf(table)
  for (const value of [
    {},
    { size: undefined },
    { size: 1, level: 0, share: 1, factor: 1.5, wait: '1m', mode: 'slow', strict: true, names: [] },
    { wait: 1 }
  ]) {
    t.doesNotThrow(() => {
      check(value)
    })
  }
})

t.test('names the option, its value and what was expected when a value is wrong', async (t) => {
  const check = checkOf(table)
  const cases: Array<[value: unknown, message: string]> = [
    [{ size: 0 }, "'size' must be an integer from 1, got '0'"],
    [{ level: 10 }, "'level' must be an integer from 0 to 9, got '10'"],
    [{ share: 1.1 }, "'share' must be a number from 0 to 1, got '1.1'"],
    [{ factor: 0 }, "'factor' must be a number from 1, got '0'"],
    [{ wait: 0 }, "'wait' must be a duration of 1 to 2147483647 ms (24.8 days), got '0'"],
    [{ wait: 'soon' }, "'wait' must be a duration of 1 to 2147483647 ms (24.8 days), got 'soon'"],
    [{ wait: true }, "'wait' must be a duration of 1 to 2147483647 ms (24.8 days), got 'true'"],
    [{ mode: 'x' }, "'mode' must be 'fast', 'slow' or 'off', got 'x'"],
    [{ strict: 1 }, "'strict' must be a boolean, got '1'"],
    [{ names: ['a', 5] }, "'names' must be an array of strings, got '[array]'"],
    [
      { other: 1 },
      "there is no option 'other' here, only size, level, share, factor, wait, mode, strict, names"
    ],
    [
      { 'a/~b': 1 },
      "there is no option 'a/~b' here, only size, level, share, factor, wait, mode, strict, names"
    ],
    [null, "expected an object, got 'null'"],
    [[], "expected an object, got '[array]'"]
  ]
  for (const [value, message] of cases) {
    t.throws(
      () => {
        check(value)
      },
      { name: 'RangeError', message },
      message
    )
  }
})

t.test('hands the error of a malformed duration to the caller', async (t) => {
  const check = optionsCheck(table, (_problem, cause) => cause ?? new RangeError())
  t.throws(() => { check({ wait: 'soon' }) }, { code: 'FST_PROCESS_INVALID_DURATION' })
  t.throws(() => { check({ size: 0 }) }, { name: 'RangeError' })
})

t.test('names the owner, the prefix and the hint where they are given', async (t) => {
  const check = checkOf(
    { id: { ...integer(undefined), required: true } },
    { owner: 'a child', prefix: 'child.', hint: '. See the guide' }
  )
  t.throws(
    () => {
      check({})
    },
    { message: "'child.id' must be an integer from 1, got 'undefined'" }
  )
  t.throws(
    () => {
      check({ id: 1, other: 1 })
    },
    { message: "a child has no field 'other', only id. See the guide" }
  )
  t.throws(() => { check(5) }, { message: "expected an object for a child, got '5'" })
})

t.test('lists the limits and the defaults of a table', async (t) => {
  t.strictSame(defaultsOf(table), {
    size: 5,
    share: 0.1,
    factor: 2,
    wait: '5s',
    mode: 'fast',
    strict: false
  })
  const { size, wait } = table
  t.match(
    [size, wait],
    [
      { unit: 'bytes', min: 1, max: undefined },
      { unit: 'ms', min: 1, max: 2 ** 31 - 1 }
    ]
  )
})
