import t from 'tap'
import { WebSocketEncoder } from '../../lib/websocket/encoder.js'
import { textFrame } from '../../lib/websocket/frames.js'

t.test('frames a string once when it is sent in a loop', async t => {
  const encoder = new WebSocketEncoder()
  const first = encoder.encodeText('hello')
  for (let i = 0; i < 10; i++) t.equal(encoder.encodeText(['hel', 'lo'].join('')), first)
  t.equal(encoder.encodedTexts, 1)
  t.strictSame(first.bytes, textFrame('hello').bytes)
  t.strictSame(encoder.encodeText('other').bytes, textFrame('other').bytes)
  t.strictSame(encoder.encodeText('hello').bytes, first.bytes)
  t.equal(encoder.encodedTexts, 3)
})

t.test('frames a string again after the last text was released, the empty string too', async t => {
  const encoder = new WebSocketEncoder()
  t.strictSame(encoder.encodeText('').bytes, textFrame('').bytes)
  const first = encoder.encodeText('hello')
  encoder.clearText()
  t.not(encoder.encodeText('hello'), first)
  encoder.clearText()
  t.strictSame(encoder.encodeText('').bytes, textFrame('').bytes)
  t.equal(encoder.encodedTexts, 4)
})
