import t from 'tap'
import fc from 'fast-check'
import { frame } from '../fixtures/pair.js'
import { encodeFrame } from '../../../lib/cluster/link/codec.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { splitFrame, maxFrameBytes, Fragments } from '../../../lib/cluster/link/fragments.js'
import type { FrameFields } from '../../../lib/cluster/link/codec.js'

t.test('a frame that was cut is whole again, and each piece as short as was asked', async (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 100, max: 500 }), (body, size) => {
    const fields: FrameFields = { type: frameTypes.send, kind: 1, to: 3, from: 4, ref: 5, text: 'topic', body }
    const pieces = new Fragments()
    const parts = [...splitFrame(fields, size)]
    const added = parts.map((part) => {
      if (encodeFrame(part, 1).length > size) throw new Error('too long')
      return pieces.addFragment(frame(part))
    })
    const whole = added.pop()
    t.ok(added.every((one) => one === undefined))
    t.match(whole, { type: frameTypes.send, kind: 1, to: 3, from: 4, ref: 5, text: 'topic' })
    return Buffer.compare(Buffer.from((whole as { body: Uint8Array }).body), body) === 0
  }), { numRuns: 50 })
})

t.test('one is over before the next begins', async (t) => {
  const pieces = new Fragments()
  for (const text of ['first', 'second']) {
    const added = [...splitFrame({ type: frameTypes.send, text, body: new Uint8Array(200) }, 100)].map((part) => pieces.addFragment(frame(part)))
    t.match(added.at(-1), { text })
  }
})

t.test('what was torn in the middle does not get into the next', async (t) => {
  const pieces = new Fragments()
  const [first] = splitFrame({ type: frameTypes.send, text: 'torn', body: new Uint8Array(200) }, 100)
  t.equal(pieces.addFragment(frame(first)), undefined)
  pieces.clear()
  const added = [...splitFrame({ type: frameTypes.send, text: 'whole', body: new Uint8Array(200) }, 100)].map((part) => pieces.addFragment(frame(part)))
  t.match(added.at(-1), { text: 'whole' })
})

t.test('the batch that a piece came in may be written over', async (t) => {
  const pieces = new Fragments()
  const [first, ...rest] = splitFrame({ type: frameTypes.send, text: 'kept', body: new Uint8Array(60) }, 100)
  const body = Buffer.from(first.body!)
  pieces.addFragment({ ...frame(first), body })
  body.fill(0xff)
  t.match(rest.map((part) => pieces.addFragment(frame(part))).at(-1), { text: 'kept' })
})

t.test('pieces that are longer than any frame are garbage before they are kept', async (t) => {
  const piece = (ref: number, body: Uint8Array = new Uint8Array(1)): ReturnType<typeof frame> => frame({ type: frameTypes.fragment, ref, body })
  t.equal(new Fragments().addFragment(piece(maxFrameBytes)), false)
  t.equal(new Fragments().addFragment(piece(maxFrameBytes - 1)), undefined)
  const pieces = new Fragments()
  t.equal(pieces.addFragment(piece(maxFrameBytes - 1)), undefined)
  t.equal(pieces.addFragment(piece(maxFrameBytes - 1)), false, 'all of them together')
  t.match(pieces.addFragment(piece(0, encodeFrame({ type: frameTypes.send }, 0))), { type: frameTypes.send }, 'and what comes next is not lost with them')
})

t.test('pieces that make no frame, two, or a piece again, are garbage', async (t) => {
  const one = encodeFrame({ type: frameTypes.send }, 0)
  const whole = (body: Uint8Array) => new Fragments().addFragment(frame({ type: frameTypes.fragment, body }))
  t.match(whole(one), { type: frameTypes.send })
  t.equal(whole(Buffer.from('garbage')), false)
  t.equal(whole(Buffer.alloc(0)), false)
  t.equal(whole(Buffer.concat([one, one])), false)
  t.equal(whole(encodeFrame({ type: frameTypes.fragment, body: one }, 0)), false)
})
