// A parser that is stopped, resumed or ended, also inside its own events.
import t from 'tap'
import {
  begin, binary, build, bytesOf, client, closing, more, octets, text
} from './parser-events.js'

t.test('parsing stops after a message that is answered with false', async t => {
  const { log, parser } = build()
  log.go = () => false
  const bytes = Buffer.concat([
    text('a'),
    client(9),
    text('b'),
    begin('c'),
    more('d', true),
    text('e')
  ])
  parser.parseChunk(bytes)
  t.strictSame(log.events, [['text', 'a']])
  t.equal(parser.bytesWaiting, bytes.length - 7)
  parser.resumeParsing()
  t.strictSame(log.events, [['text', 'a'], ['ping', ''], ['text', 'b']])
  log.go = () => log.events.length < 4
  parser.resumeParsing()
  t.strictSame(log.events.slice(3), [['text', 'cd']])
  parser.resumeParsing()
  t.strictSame(log.events.slice(4), [['text', 'e']])
  t.equal(parser.bytesWaiting, 0)
})

t.test('keeps no bytes when it stops at the end of a chunk', async t => {
  const { log, parser } = build()
  log.go = () => false
  parser.parseChunk(text('a'))
  t.equal(parser.bytesWaiting, 0)
  parser.parseChunk(text('b'))
  t.equal(log.events.length, 1)
  t.equal(parser.bytesWaiting, 7)
  parser.resumeParsing()
  t.equal(log.events.length, 2)
})

t.test('keeps a chunk unchanged that arrives after a stop', async t => {
  const { log, parser } = build()
  log.go = () => false
  parser.parseChunk(binary('a'))
  const chunk = binary('b')
  parser.parseChunk(chunk)
  parser.resumeParsing()
  t.equal(log.data[1].buffer, chunk.buffer)
})

t.test('keeps bytes in order that arrive while stopped', async t => {
  const { log, parser } = build()
  log.go = () => false
  const bytes = Buffer.concat([
    begin('a'),
    more('b', true),
    text('c'),
    text('d'),
    text('e'.repeat(300))
  ])
  octets(bytes, octet => parser.parseChunk(octet))
  t.strictSame(log.events, [['text', 'ab']])
  t.equal(parser.bytesWaiting, 7 + 7 + 308)
  parser.resumeParsing()
  octets(text('f'), octet => parser.parseChunk(octet))
  log.go = () => true
  parser.resumeParsing()
  t.strictSame(log.events.slice(1), [
    ['text', 'c'],
    ['text', 'd'],
    ['text', 'e'.repeat(300)],
    ['text', 'f']
  ])
})

t.test('copies small waiting chunks a few times, not once for each chunk', async t => {
  const { log, parser } = build()
  log.go = () => false
  parser.parseChunk(text('a'))
  const bytes = binary(bytesOf(65536))
  const allocations = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  octets(bytes, octet => parser.parseChunk(octet))
  t.ok(allocations().length <= 18)
  parser.resumeParsing()
  t.strictSame(log.data[1], bytesOf(65536))
})

t.test('stops after a fragmented message, too', async t => {
  const { log, parser } = build()
  log.go = () => false
  const bytes = Buffer.concat([text('abc'), text('d')])
  parser.parseChunk(bytes.subarray(0, 5))
  parser.parseChunk(bytes.subarray(5))
  t.strictSame(log.events, [['text', 'abc']])
  t.equal(parser.bytesWaiting, 7)
  t.equal(parser.hasPartialFrame, false)
  parser.resumeParsing()
  t.strictSame(log.events, [['text', 'abc'], ['text', 'd']])
})

t.test('does nothing when it is resumed without a stop', async t => {
  const { log, parser } = build()
  parser.resumeParsing()
  parser.parseChunk(text('a').subarray(0, 4))
  t.equal(parser.bytesWaiting, 4)
  t.strictSame(log.events, [])
})

t.test('reports a violation after a stop when it is resumed', async t => {
  const { log, parser } = build()
  log.go = () => false
  parser.parseChunk(Buffer.concat([text('a'), client(3)]))
  t.equal(log.events.length, 1)
  parser.resumeParsing()
  t.strictSame(log.events[1], ['violation', 1002, 'protocol error: unknown opcode 3'])
  parser.parseChunk(text('b'))
  t.equal(log.events.length, 2)
  t.equal(parser.bytesWaiting, 0)
})

t.test('stops even if a handler calls resumeParsing before it returns false', async t => {
  const { log, parser } = build()
  log.then = () => parser.resumeParsing()
  log.go = () => false
  parser.parseChunk(Buffer.concat([text('a'), text('b')]))
  t.strictSame(log.events, [['text', 'a']])
  parser.resumeParsing()
  t.strictSame(log.events, [['text', 'a'], ['text', 'b']])
})

t.test('parses bytes that arrive during an event after the waiting ones', async t => {
  const { log, parser } = build()
  log.then = event => { if (event[1] === 'a') parser.parseChunk(text('pushed')) }
  parser.parseChunk(Buffer.concat([text('a'), text('b')]))
  t.strictSame(log.events, [['text', 'a'], ['text', 'b'], ['text', 'pushed']])
  parser.parseChunk(text('a'))
  t.strictSame(log.events.slice(3), [['text', 'a'], ['text', 'pushed']])
})

t.test('can be ended inside any event', async t => {
  const message = Buffer.concat([begin('x'), more('y', true)])
  for (const first of [
    text('a'),
    binary('a'),
    message,
    client(9),
    client(10),
    closing(1000),
    client(3)
  ]) {
    for (const answer of [true, false]) {
      for (const dripped of [false, true]) {
        const { log, parser } = build()
        log.go = () => answer
        log.then = () => parser.stopForever()
        const bytes = Buffer.concat([first, text('b'), client(9), client(4)])
        if (dripped) octets(bytes, (octet) => parser.parseChunk(octet))
        else parser.parseChunk(bytes)
        parser.resumeParsing()
        parser.parseChunk(text('c'))
        t.equal(log.events.length, 1)
        t.equal(parser.bytesWaiting, 0)
        t.equal(parser.hasPartialFrame, false)
      }
    }
  }
})

t.test('drops waiting bytes when it is ended', async t => {
  for (const bytes of [
    Buffer.concat([text('a'), text('b')]),
    Buffer.concat([begin('a'), more('bc').subarray(0, 7)])
  ]) {
    const { log, parser } = build()
    log.go = () => false
    parser.parseChunk(bytes)
    t.ok(parser.bytesWaiting > 0)
    const before = log.events.length
    parser.stopForever()
    t.equal(parser.hasPartialFrame, false)
    t.equal(parser.bytesWaiting, 0)
    parser.parseChunk(Buffer.concat([more('bc', true), text('c')]))
    parser.resumeParsing()
    t.equal(log.events.length, before)
  }
})
