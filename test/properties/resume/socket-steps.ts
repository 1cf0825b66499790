import fc from 'fast-check'

/** One event of a history over real sockets. */
export const socketStep = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('server sends' as const, 'client sends' as const),
      count: fc.integer({ min: 1, max: 9 }),
      size: fc.constantFrom(0, 1, 130)
    })
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('ack' as const, 'ping' as const, 'freeze' as const, 'thaw' as const)
    })
  },
  // Bytes of both directions.
  { weight: 5, arbitrary: fc.record({ do: fc.constant('cut' as const), bytes: fc.nat(300) }) },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant('connect' as const),
      behind: fc.nat(3),
      compressed: fc.boolean(),
      // A request has some 300 bytes, and a 101 with its hello as many.
      bytes: fc.oneof(fc.nat(900), fc.constant(undefined))
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('hold' as const, 'release' as const, 'transfer' as const),
      target: fc.nat(1)
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('intrude' as const),
      how: fc.constantFrom('retired' as const, 'altered' as const, 'path' as const,
        'origin' as const, 'refused by a hook' as const)
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rivals' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('laps' as const), count: fc.integer({ min: 1, max: 8 }) })
  }
)
export type SocketStep = typeof socketStep extends fc.Arbitrary<infer S> ? S : never

/** How a connection ends after a history. */
export const ending = fc.constantFrom('client', 'server', 'kill', 'away', 'gap')
export type Ending = typeof ending extends fc.Arbitrary<infer E> ? E : never
