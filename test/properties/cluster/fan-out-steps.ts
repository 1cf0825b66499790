// The steps of a random history of messages to many receivers on three nodes.
import fc from 'fast-check'

export const names = ['a', 'b', 'c'] as const
export const receiversOfNode = 5

const nodeIndex = fc.nat(names.length - 1)
const link = { node: nodeIndex, other: nodeIndex }
const receivers = fc.uniqueArray(fc.nat(receiversOfNode - 1), {
  minLength: 1,
  maxLength: receiversOfNode
})
const payload = fc.record({
  kind: fc.constantFrom('text', 'text', 'bare', 'binary', 'note', 'bytes', 'long'),
  n: fc.nat(3)
})

const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      action: fc.constant('send'),
      ...link,
      sender: fc.nat(1),
      receivers,
      payloads: fc.array(payload, { minLength: 1, maxLength: 5 }),
      /** Which loop is the inner one. */
      byReceiver: fc.boolean()
    })
  },
  { weight: 2, arbitrary: fc.record({ action: fc.constant('flood'), ...link, receivers }) },
  { weight: 2, arbitrary: fc.record({ action: fc.constant('exit'), ...link }) },
  { weight: 4, arbitrary: fc.record({ action: fc.constant('endTurn') }) },
  { weight: 3, arbitrary: fc.record({ action: fc.constant('exchange'), ...link }) },
  { weight: 8, arbitrary: fc.record({ action: fc.constant('carry'), ...link, most: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ action: fc.constant('lose'), ...link }) },
  {
    weight: 2,
    arbitrary: fc.record({ action: fc.constant('wait'), ms: fc.constantFrom(20, 60, 1000, 5000) })
  },
  { weight: 1, arbitrary: fc.record({ action: fc.constant('reset'), ...link }) },
  { weight: 1, arbitrary: fc.record({ action: fc.constantFrom('down', 'up'), ...link }) }
)

export const histories = fc.array(step, { minLength: 1, maxLength: 40 })

export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
