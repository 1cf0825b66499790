// The events of a random history of one limited client.
import fc from 'fast-check'

const target = fc.nat(1)

export const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      count: fc.integer({ min: 1, max: 12 }),
      size: fc.constantFrom(0, 3, 30, 150)
    })
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('time' as const), ms: fc.oneof(fc.nat(60), fc.nat(1500))
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('hold' as const, 'release' as const), target })
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('lose' as const, 'come back' as const) })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('transfer' as const), target }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('same limit' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('expire' as const), ms: fc.constantFrom(null, 100, 800, 5000)
    })
  }
)

export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
