import fc from 'fast-check'

/** One event of a history of sessions. */
export const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('server sends' as const, 'client sends' as const),
      count: fc.integer({ min: 1, max: 9 }),
      size: fc.constantFrom(0, 1, 130)
    })
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('up' as const, 'down' as const),
      bytes: fc.oneof(fc.nat(40), fc.constant(100_000))
    })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('ack' as const, 'ping' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('cut' as const),
      up: fc.nat(60),
      down: fc.nat(60),
      noticed: fc.boolean()
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('notice' as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('connect' as const), behind: fc.nat(3) })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stale' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.nat(700) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('hold' as const, 'release' as const, 'transfer' as const),
      target: fc.nat(1)
    })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('blip' as const),
      ms: fc.nat(700),
      up: fc.constantFrom(0, 30, 100_000)
    })
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('yield' as const) }) }
)
export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
