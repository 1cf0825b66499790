import t from 'tap'
import { choice, custom, optionsCheck } from '../../lib/shared/options.js'

const fail = (problem: string): Error => new Error(problem)
const isEven = (value: unknown): boolean => typeof value === 'number' && value % 2 === 0

t.test('accepts one of some numbers, and names them when another is given', async (t) => {
  const check = optionsCheck({ size: choice([1, 3, 5], 1) }, fail)
  check({ size: 3 })
  check({})
  t.throws(() => { check({ size: 2 }) }, { message: "'size' must be 1, 3 or 5, got '2'" })
  t.throws(() => { check({ size: '3' }) }, { message: "'size' must be 1, 3 or 5, got '3'" })
})

t.test('checks a custom option with its function, unless it is absent', async (t) => {
  const check = optionsCheck({ even: custom(2, 'an even number', isEven) }, fail)
  check({ even: 4 })
  check({ even: undefined })
  check({})
  t.throws(() => { check({ even: 5 }) }, { message: "'even' must be an even number, got '5'" })
})

t.test('does not show the value of a secret option', async (t) => {
  const even = { ...custom(2, 'an even number', isEven), secret: true as const }
  const check = optionsCheck({ even }, fail)
  t.throws(() => { check({ even: 777 }) }, {
    message: "'even' must be an even number, got another value"
  })
})
