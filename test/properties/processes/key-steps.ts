// The steps of a history of keys.
import fc from 'fast-check'

export const keys = ['a', 'b'] as const
type Key = typeof keys[number]

export type Step =
  | { readonly do: 'send', readonly key: Key, readonly topic: 'note' | 'busy' | 'stop' | 'crash' }
  | { readonly do: 'get' | 'call' | 'cancel' | 'exit' | 'fail' | 'stop key', readonly key: Key }
  /** Lets bodies that load, are busy, or clean up go on. */
  | { readonly do: 'loaded' | 'unloadable' | 'rest' | 'clean', readonly nth: number }
  | { readonly do: 'time', readonly ms: number }
  | { readonly do: 'turn', readonly choice: number }

const key = fc.constantFrom(...keys)
const nth = fc.nat(2)

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      key,
      topic: fc.constantFrom('note', 'note', 'busy', 'stop', 'crash')
    })
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('get', 'call', 'cancel', 'exit', 'fail', 'stop key'), key
    })
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('loaded', 'loaded', 'unloadable', 'rest', 'clean'), nth
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('time' as const), ms: fc.constantFrom(10, 100, 400, 1100)
    })
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('turn' as const), choice: fc.nat(3) }) }
) as fc.Arbitrary<Step>
