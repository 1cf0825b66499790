// The events of a random history of connections.
import fc from 'fast-check'

const one = fc.nat(2)
export const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('connect' as const),
      target: one,
      heartbeat: fc.boolean()
    })
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('text' as const),
      of: one,
      count: fc.integer({ min: 1, max: 12 }),
      cut: fc.nat(300)
    })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      of: one,
      count: fc.integer({ min: 1, max: 12 }),
      call: fc.boolean()
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('burst' as const, 'fall behind' as const),
      of: one,
      count: fc.integer({ min: 1, max: 30 })
    })
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('transfer' as const), of: one, target: one })
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('hold' as const, 'release' as const), target: one })
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('turn' as const), choice: fc.nat(3) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('breathe' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.nat(300) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('stall' as const, 'read' as const, 'mute' as const, 'ping' as const),
      of: one
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('monitor' as const, 'link' as const, 'unlink' as const),
      of: one,
      by: fc.nat(1)
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('name' as const, 'join' as const, 'broadcast' as const),
      of: one
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('client close' as const),
      of: one,
      code: fc.constantFrom(undefined, 1000, 4999)
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('client reset' as const, 'client end' as const, 'client error' as const),
      of: one
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('exit' as const, 'kill' as const, 'cancel' as const),
      of: one
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('ws.close' as const),
      of: one,
      code: fc.constantFrom(1000, 4000, 1006)
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('target exit' as const),
      target: one,
      reason: fc.constantFrom('normal', 'shutdown', 'boom', 'kill')
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('watcher exit' as const),
      by: fc.nat(1),
      reason: fc.constantFrom('normal', 'boom')
    })
  }
)
export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
