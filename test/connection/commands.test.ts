import { runInNewContext } from 'node:vm'
import t from 'tap'
import { encodeMessage, parseClose } from '../../lib/connection/commands.js'
import { failure, success } from '../../lib/shared/result.js'
import { WebSocketEncoder } from '../../lib/websocket/encoder.js'
import { binaryFrame, textFrame } from '../../lib/websocket/frames.js'
import type { Encoded } from '../../lib/connection/transport.js'

const throwing = new Proxy({}, { get () { throw new Error('no') } })

t.test('encodes the payload of a ws.send', async t => {
  const encoder = new WebSocketEncoder()
  const foreign = runInNewContext('new Uint8Array([1, 2])') as Uint8Array
  for (const [payload, frame] of [
    [{ data: 'x' }, textFrame('x')],
    [{ type: 'text', data: 'x' }, textFrame('x')],
    [{ type: undefined, data: 'x' }, textFrame('x')],
    [{ type: 'binary', data: 'x' }, binaryFrame('x')],
    [{ data: Buffer.from('x') }, binaryFrame('x')],
    [{ type: 'binary', data: new Uint8Array([120]) }, binaryFrame('x')],
    [{ type: 'text', data: Buffer.from('x') }, textFrame('x')],
    [{ data: foreign }, binaryFrame(Buffer.from([1, 2]))]
  ]) t.strictSame((encodeMessage('ws.send', payload, encoder) as Encoded).bytes, frame.bytes)
  t.equal(encoder.encodedTexts, 1, 'only texts are remembered')
})

t.test('says what is wrong when a ws.send is malformed', async t => {
  const encoder = new WebSocketEncoder()
  for (const [payload, problem] of [
    [undefined, /object/],
    [null, /object/],
    ['x', /object/],
    [{}, /`data`/],
    [{ data: 1 }, /`data`/],
    [{ data: new Uint16Array(1) }, /`data`/],
    [{ type: 'x', data: 'x' }, /`type`/],
    [{ type: 'text', data: Buffer.from([0xff]) }, /UTF-8/],
    [throwing, /getter/]
  ] as Array<[unknown, RegExp]>) t.match(encodeMessage('ws.send', payload, encoder), problem)
})

t.test('encodes any other topic as JSON', async t => {
  const encoder = new WebSocketEncoder()
  for (const [payload, json] of [
    [undefined, 'null'],
    [null, 'null'],
    [{ a: 1 }, '{"a":1}'],
    [Buffer.from([255]), '"/w=="'],
    [runInNewContext('new Uint8Array([255])'), '"/w=="'],
    ['"', '"\\""']
  ]) {
    const { bytes } = textFrame(`{"topic":"a\\"b","data":${json}}`)
    t.strictSame((encodeMessage('a"b', payload, encoder) as Encoded).bytes, bytes)
  }
  const circular: unknown[] = []
  circular.push(circular)
  for (const payload of [1n, circular, () => {}, Symbol('s'), throwing]) {
    t.equal(encodeMessage('a', payload, encoder), 'it cannot be written as JSON')
  }
})

t.test('accepts an object, a reason or nothing as ws.close', async t => {
  for (const [payload, request] of [
    [undefined, { code: 1000, reason: '' }],
    [null, { code: 1000, reason: '' }],
    ['bye', { code: 1000, reason: 'bye' }],
    [{}, { code: 1000, reason: '' }],
    [{ code: 4000, reason: 'x' }, { code: 4000, reason: 'x' }],
    [{ code: 1005 }, { code: 1011, reason: '', refusedCode: 1005 }],
    [{ code: '1000' }, { code: 1011, reason: '', refusedCode: '1000' }]
  ]) t.strictSame(parseClose(payload), success(request))
  for (const payload of [5, [], ['bye'], Buffer.from('bye')]) {
    t.match(parseClose(payload), failure(/expected an object/))
  }
  t.match(parseClose({ reason: 5 }), failure(/`reason`/))
  t.match(parseClose(throwing), failure(/getter/))
})
