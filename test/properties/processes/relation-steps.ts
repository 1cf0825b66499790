// The operations of a random history of processes, and the turns between them.
import fc from 'fast-check'

export const mostProcesses = 7

export const groups = ['g', 'h'] as const
export const shapes = ['serve', 'serve slowly', 'loop', 'loop again'] as const
const reasons = ['normal', 'shutdown', 'kill', 'boom'] as const

const who = fc.nat(mostProcesses - 1)
const pair = { one: who, other: who }
const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('spawn' as const),
      ...pair,
      link: fc.boolean(),
      monitor: fc.boolean(),
      trap: fc.boolean(),
      named: fc.boolean(),
      small: fc.boolean(),
      shape: fc.constantFrom(...shapes)
    })
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      ...pair,
      times: fc.integer({ min: 1, max: 5 })
    })
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('link' as const, 'unlink' as const), ...pair })
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('monitor' as const, 'demonitor' as const),
      ...pair
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('name' as const, 'unname' as const, 'trap' as const),
      ...pair
    })
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('join' as const, 'leave' as const),
      one: who,
      other: fc.nat(2),
      group: fc.constantFrom(...groups)
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'watch' as const,
        'watch' as const,
        'unwatch' as const,
        'broadcast' as const
      ),
      ...pair,
      group: fc.constantFrom(...groups)
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('exit' as const),
      ...pair,
      reason: fc.constantFrom(...reasons)
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('cancel' as const, 'stop' as const), ...pair })
  }
)
export type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never

/** The place of an operation: code outside, or a handler in its turn. Turns run in between. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: operation, inside: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      turn: fc.constantFrom('soon' as const, 'later' as const, 'microtasks' as const),
      ms: fc.nat(4),
      choice: fc.nat(5)
    })
  }
)

const first = (shape: (typeof shapes)[number], small: boolean) =>
  fc.constant({
    do: {
      kind: 'spawn',
      one: 0,
      other: 0,
      link: false,
      monitor: false,
      trap: false,
      named: false,
      small,
      shape
    },
    inside: false
  } as const)
export const histories = fc
  .tuple(
    fc.tuple(first('serve', false), first('serve', true), first('serve slowly', false)),
    fc.array(step, { minLength: 10, maxLength: 60, size: 'max' })
  )
  .map(([first, rest]) => [...first, ...rest])

export type History = typeof histories extends fc.Arbitrary<infer H> ? H : never
