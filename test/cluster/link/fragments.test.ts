import t from 'tap'
import fc from 'fast-check'
import { frame } from '../fixtures/pair.js'
import { encodeFrame } from '../../../lib/cluster/link/codec.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { splitFrame, maxFrameBytes, Fragments } from '../../../lib/cluster/link/fragments.js'
import type { Result } from '../../../lib/shared/result.js'
import type { Frame, FrameFields } from '../../../lib/cluster/link/codec.js'

function valueOf<T> (result: Result<T>): T {
  if (!result.ok) throw new Error(result.problem)
  return result.value
}

const incomplete = { ok: true, value: undefined }

t.test('puts a split frame together again; no fragment is longer than asked for', async (t) => {
  const bodies = fc.uint8Array({ maxLength: 3000 })
  const sizes = fc.integer({ min: 100, max: 500 })
  fc.assert(fc.property(bodies, sizes, (body, size) => {
    const fields: FrameFields = {
      type: frameTypes.send,
      kind: 1,
      to: 3,
      from: 4,
      ref: 5,
      text: 'topic',
      body
    }
    const fragments = new Fragments()
    const parts = [...splitFrame(fields, size)]
    const added = parts.map((part) => {
      if (encodeFrame(part, 1).length > size) throw new Error('too long')
      return fragments.addFragment(frame(part))
    })
    const whole = valueOf(added.pop()!)!
    t.ok(added.every((one) => valueOf(one) === undefined))
    t.match(whole, { type: frameTypes.send, kind: 1, to: 3, from: 4, ref: 5, text: 'topic' })
    return Buffer.compare(Buffer.from(whole.body), body) === 0
  }), { numRuns: 50 })
})

t.test('returns two split frames one after the other', async (t) => {
  const fragments = new Fragments()
  for (const text of ['first', 'second']) {
    const parts = [...splitFrame({ type: frameTypes.send, text, body: new Uint8Array(200) }, 100)]
    const added = parts.map((part) => fragments.addFragment(frame(part)))
    t.match(added.at(-1), { value: { text } })
  }
})

t.test('does not mix an incomplete frame into the next one after clear', async (t) => {
  const fragments = new Fragments()
  const [first] = splitFrame(
    { type: frameTypes.send, text: 'torn', body: new Uint8Array(200) },
    100
  )
  t.strictSame(fragments.addFragment(frame(first)), incomplete)
  fragments.clear()
  const added = [
    ...splitFrame({ type: frameTypes.send, text: 'whole', body: new Uint8Array(200) }, 100)
  ].map((part) => fragments.addFragment(frame(part)))
  t.match(added.at(-1), { value: { text: 'whole' } })
})

t.test('keeps no reference to the batch of a fragment', async (t) => {
  const fragments = new Fragments()
  const [first, ...rest] = splitFrame(
    { type: frameTypes.send, text: 'kept', body: new Uint8Array(60) },
    100
  )
  const body = Buffer.from(first.body!)
  fragments.addFragment({ ...frame(first), body })
  body.fill(0xff)
  t.match(rest.map((part) => fragments.addFragment(frame(part))).at(-1), {
    value: { text: 'kept' }
  })
})

t.test('fails when the announced length exceeds the longest frame', async (t) => {
  const fragment = (ref: number, body: Uint8Array = new Uint8Array(1)): Frame =>
    frame({ type: frameTypes.fragment, ref, body })
  t.equal(new Fragments().addFragment(fragment(maxFrameBytes)).ok, false)
  t.strictSame(new Fragments().addFragment(fragment(maxFrameBytes - 1)), incomplete)
  const fragments = new Fragments()
  t.strictSame(fragments.addFragment(fragment(maxFrameBytes - 1)), incomplete)
  t.equal(fragments.addFragment(fragment(maxFrameBytes - 1)).ok, false, 'both together')
  t.match(
    fragments.addFragment(fragment(0, encodeFrame({ type: frameTypes.send }, 0))),
    { value: { type: frameTypes.send } },
    'the next frame is complete'
  )
})

t.test(
  'fails when the fragments do not make exactly one frame, or make another fragment',
  async (t) => {
    const one = encodeFrame({ type: frameTypes.send }, 0)
    const whole = (body: Uint8Array) =>
      new Fragments().addFragment(frame({ type: frameTypes.fragment, body }))
    t.match(whole(one), { value: { type: frameTypes.send } })
    t.equal(whole(Buffer.from('garbage')).ok, false)
    t.equal(whole(Buffer.alloc(0)).ok, false)
    t.equal(whole(Buffer.concat([one, one])).ok, false)
    t.equal(whole(encodeFrame({ type: frameTypes.fragment, body: one }, 0)).ok, false)
  }
)
