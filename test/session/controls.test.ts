import t from 'tap'
import {
  ackFrame, beginsWithNul, escapeFrame, helloFrame, isEscaped, parseAck, reconnectFrame
} from '../../lib/session/controls.js'
import { binaryFrame, textFrame } from '../../lib/websocket/frames.js'

t.test('makes the bytes of an acknowledgement', async (t) => {
  t.equal(ackFrame(37).bytes.toString('hex'), '810400613337')
})

t.test('makes the bytes of the advice to reconnect', async (t) => {
  t.same(reconnectFrame(5000).bytes, textFrame('\u0000r{"after":0,"by":5000}').bytes)
})

t.test('makes a hello without the fields that are not given', async (t) => {
  const hello = {
    token: undefined, window: 0, from: 1, received: 0, resumed: false, why: undefined, protocol: ''
  }
  const text = '{"v":1,"window":0,"from":1,"received":0,"resumed":false,"protocol":""}'
  t.same(helloFrame(hello).bytes, textFrame(`\u0000h${text}`).bytes)
})

t.test('writes the fields of a hello in the documented order', async (t) => {
  const hello = {
    protocol: 'chat', why: 'gap', resumed: false, received: 2, from: 3, window: 1, token: 't'
  } as const
  const text = '{"v":1,"token":"t","window":1,"from":3,"received":2,"resumed":false,"why":"gap",' +
    '"protocol":"chat"}'
  t.same(helloFrame(hello).bytes, textFrame(`\u0000h${text}`).bytes)
})

t.test('reads acknowledgements', async (t) => {
  const parse = (text: string): unknown => {
    const ack = parseAck(`\u0000a${text}`)
    return ack.ok ? ack.value : ack.problem
  }
  t.equal(parse('0'), 0)
  t.equal(parse('37'), 37)
  t.equal(parse('9007199254740991'), Number.MAX_SAFE_INTEGER)
  t.equal(parse('00000000000000037'), 'longer than 16 digits')
  for (const text of ['', '-1', '1.5', '1e3', ' 1', '0x1', '\uff11']) {
    t.equal(parse(text), 'not a number', JSON.stringify(text))
  }
})

t.test('knows controls and escaped texts', async (t) => {
  t.notOk(beginsWithNul(''))
  t.notOk(beginsWithNul('a'))
  t.ok(beginsWithNul('\u0000'))
  t.notOk(isEscaped('\u0000'))
  t.notOk(isEscaped('\u0000a'))
  t.ok(isEscaped('\u0000\u0000'))
})

t.test('escapes a text that begins with U+0000, and shares all other frames', async (t) => {
  for (const size of [1, 124, 125, 126, 65_535, 65_536]) {
    const text = `\u0000${'x'.repeat(size - 1)}`
    t.same(escapeFrame(textFrame(text)).bytes, textFrame(`\u0000${text}`).bytes, `${size} bytes`)
  }
  const others = [
    textFrame(''), textFrame('a'), textFrame('x'.repeat(70_000)), binaryFrame('\u0000a'),
    binaryFrame('')
  ]
  for (const frame of others) t.equal(escapeFrame(frame), frame)
})
