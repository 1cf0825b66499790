import fc from 'fast-check'

const of = fc.nat(2)
const name = fc.nat(1)

/** One event of a history of rooms that fail, and of connections that park. */
export const step = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('start' as const),
      name,
      kind: fc.constantFrom(
        'steady' as const, 'steady' as const, 'slow end' as const, 'slow end' as const,
        'fails in join' as const, 'deaf' as const
      )
    })
  },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      of,
      reason: fc.constantFrom('boom', 'boom', 'kill', 'normal')
    })
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'stop' as const, 'stop' as const, 'cancel' as const, 'hold' as const, 'release' as const
      ),
      of
    })
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('let end' as const), fails: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('connect' as const),
      of,
      name,
      park: fc.constantFrom(100, 100, 300, undefined)
    })
  },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      of,
      count: fc.integer({ min: 1, max: 12 }),
      text: fc.constantFrom('', '', '', 'crash')
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('tell' as const), of }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('transfer' as const),
      of,
      name,
      change: fc.constantFrom('none' as const, 'none' as const, 'close' as const, 'park' as const)
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('lose' as const, 'lose' as const, 'leave' as const, 'ws.close' as const),
      of
    })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('come back' as const), of }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unregister' as const), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('take name' as const), of, name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drain' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.constantFrom(5, 60, 90, 150) })
  }
)
export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** Events that happen before any process runs, and then everything runs that can. */
export const turn = fc.array(step, { minLength: 1, maxLength: 3 })
