// The steps of a random history of calls, receives and timers.
import fc from 'fast-check'

export const callees = 3
const callee = fc.nat(callees - 1)
const nth = fc.nat(3)
export const topics = ['a', 'b'] as const
const topic = fc.constantFrom(...topics)
const ms = fc.constantFrom(1, 5, 20)

export const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('call' as const),
      from: fc.option(callee, { nil: undefined }),
      to: callee,
      timeout: ms,
      signal: fc.boolean()
    })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('reply' as const, 'fail' as const),
      to: callee,
      nth
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), nth }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      topic,
      times: fc.integer({ min: 1, max: 20 })
    })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('receive' as const),
      topic: fc.option(topic, { nil: undefined }),
      timeout: fc.option(ms, { nil: undefined })
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('after' as const, 'every' as const),
      from: callee,
      ms
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('clear' as const), nth }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.nat(12) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('turn' as const), choice: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('exit' as const, 'cancel' as const), to: callee })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('exit receiver' as const, 'cancel receiver' as const)
    })
  }
)
export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
