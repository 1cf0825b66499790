import fc from 'fast-check'

const of = fc.nat(2)
export const keys = ['a', 'b'] as const
const key = fc.constantFrom(...keys)

/** One event of a history of keys whose processes come and go, and of the clients of these keys. */
export const step = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('connect' as const),
      of,
      key,
      park: fc.constantFrom(undefined, undefined, 0, 100, 400)
    })
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      of,
      count: fc.integer({ min: 1, max: 5 }),
      text: fc.constantFrom('', '', '', '', 'stop', 'crash')
    })
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'hold' as const, 'hold' as const, 'release' as const, 'stop' as const, 'stop' as const,
        'note' as const, 'cancel' as const, 'stop key' as const
      ),
      key
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('exit' as const), key, reason: fc.constantFrom('boom', 'boom', 'normal')
    })
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('next' as const),
      start: fc.constantFrom('runs' as const, 'waits' as const, 'fails' as const),
      cleansUp: fc.boolean()
    })
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('loaded' as const, 'unloadable' as const, 'clean' as const),
      nth: fc.nat(2)
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('transfer' as const),
      of,
      to: fc.constantFrom('a' as const, 'b' as const, 'plain' as const)
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'lose' as const, 'leave' as const, 'ws.close' as const, 'come back' as const,
        'come back' as const
      ),
      of
    })
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('time' as const), ms: fc.constantFrom(5, 60, 90, 160, 320, 1100)
    })
  }
)
export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** Events that happen before any process runs, and then everything runs that can. */
export const turn = fc.array(step, { minLength: 1, maxLength: 4 })
