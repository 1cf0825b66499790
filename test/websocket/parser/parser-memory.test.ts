// The memory that a parser holds, and the bytes that it copies.
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { FrameParser } from '../../../lib/websocket/parser.js'
import { begin, binary, build, bytesOf, client, more, octets, text } from './parser-events.js'
import type { Event } from './parser-events.js'

t.test('passes whole bytes on without a copy', async t => {
  const { log, parser } = build({ deflate: true })
  const chunk = Buffer.concat([binary(bytesOf(500)), client(1, 'packed', { rsv: 4 })])
  parser.parseChunk(chunk)
  t.equal(log.data[0].buffer, chunk.buffer)
  t.equal(log.data[1].buffer, chunk.buffer)
})

t.test('copies bytes of a borrowed buffer that are needed later', async t => {
  const stream = Buffer.concat([
    binary('ab'),
    text('é'),
    client(1, 'packed', { rsv: 4 }),
    client(9, 'ping'),
    begin('c', 2),
    more('d', true),
    binary(bytesOf(200)),
    text('end')
  ])
  const expected: Event[] = [
    ['binary', '6162'],
    ['text', 'é'],
    ['compressed', Buffer.from('packed').toString('hex')],
    ['ping', 'ping'],
    ['binary', '6364'],
    ['binary', bytesOf(200).toString('hex')],
    ['text', 'end']
  ]
  for (let cut = 0; cut <= stream.length; cut++) {
    for (const stops of [false, true]) {
      const { log, parser } = build({ deflate: true })
      log.go = () => !stops
      const borrowed = Buffer.alloc(stream.length + 10)
      for (const part of [stream.subarray(0, cut), stream.subarray(cut)]) {
        part.copy(borrowed)
        parser.parseBorrowed(borrowed, part.length)
        borrowed.fill(0xff)
      }
      while (log.stopped) log.resume(parser)
      const messages = log.data.filter(
        (_, i) => log.events.filter(([name]) => name !== 'ping')[i][0] !== 'text'
      )
      if (messages.some(({ buffer }) => buffer === borrowed.buffer)) {
        t.fail(`cut at ${cut}: a message is in the borrowed buffer`)
      }
      if (JSON.stringify(log.events) !== JSON.stringify(expected)) {
        t.strictSame(log.events, expected, `cut at ${cut}, ${stops ? 'stopped' : 'not stopped'}`)
      }
    }
  }
})

t.test('appends borrowed bytes to waiting ones, and keeps none when ended', async t => {
  const { log, parser } = build()
  log.go = () => false
  const borrowed = Buffer.alloc(100)
  for (const data of ['a', 'b', 'c']) {
    const length = text(data).copy(borrowed)
    parser.parseBorrowed(borrowed, length)
    borrowed.fill(0xff)
    parser.parseBorrowed(borrowed, 0)
  }
  t.equal(parser.bytesWaiting, 2 * text('b').length)
  while (log.stopped) log.resume(parser)
  t.strictSame(log.events, [['text', 'a'], ['text', 'b'], ['text', 'c']])
  parser.stopForever()
  parser.parseBorrowed(borrowed, 9)
  t.equal(parser.bytesWaiting, 0)
})

t.test('keeps no chunk in memory for its fragments', async t => {
  const { log, parser } = build()
  const chunks = [begin('a', 2), more('b'), more('c', true)].map((bytes) =>
    Buffer.concat([bytes, client(9, 'x'.repeat(125))])
  )
  for (const chunk of chunks) parser.parseChunk(chunk)
  t.notOk(chunks.some(chunk => chunk.buffer === log.data[0].buffer))
  t.ok(log.data[0].buffer.byteLength <= 256)
})

t.test('a message is independent of the next one', async t => {
  const { log, parser } = build()
  for (const data of ['abc', 'xyz', '']) {
    parser.parseChunk(Buffer.concat([begin(data), more(data, true)]))
    octets(text(data), octet => parser.parseChunk(octet))
  }
  t.strictSame(log.data.map(String), ['abcabc', 'abc', 'xyzxyz', 'xyz', '', ''])
})

t.test('doubles the memory of a partial frame as its bytes arrive', async t => {
  const { log, parser } = build()
  const data = bytesOf(256 * 1024)
  const bytes = binary(data)
  const allocations = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  let allocated = 0
  let largest = 0
  let tooLarge = 0
  octets(bytes, octet => {
    parser.parseChunk(octet)
    for (const { args: [size] } of allocations()) {
      allocated++
      largest = size as number
    }
    if (parser.hasPartialFrame && largest > Math.max(256, 2 * parser.bytesWaiting)) tooLarge++
  })
  t.equal(tooLarge, 0, 'never more than twice what has arrived')
  t.ok(allocated <= 20, `${allocated} allocations`)
  t.equal(largest, data.length + 14)
  t.strictSame(log.data, [data])
  t.equal(parser.bytesWaiting, 0)
  t.equal(parser.hasPartialFrame, false)
})

t.test('allocates no memory for an announced length', async t => {
  const { parser } = build({ maxPayload: Number.MAX_SAFE_INTEGER })
  const allocations = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  parser.parseChunk(Buffer.concat([binary('', { length: 1n << 40n }), bytesOf(300)]))
  parser.parseChunk(bytesOf(10))
  t.strictSame(allocations().map(({ args }) => args[0]), [314, 628])
  t.equal(parser.bytesWaiting, 324)
})

t.test('doubles the memory of many small fragments', async t => {
  const { log, parser } = build({ maxFragments: 20000 })
  const allocations = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  parser.parseChunk(begin('x', 2))
  for (let i = 0; i < 16384; i++) parser.parseChunk(more('y'))
  parser.parseChunk(more('z', true))
  t.ok(allocations().length <= 8)
  t.equal(log.data[0].toString(), `x${'y'.repeat(16384)}z`)
})

t.test('never takes more memory than maxPayload for fragments', async t => {
  const { log, parser } = build({ maxPayload: 1000 })
  const allocations = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  parser.parseChunk(
    Buffer.concat([begin(bytesOf(600), 2), more(bytesOf(100)), more(bytesOf(300), true)])
  )
  t.strictSame(allocations().map(({ args }) => args[0]), [600, 1000])
  t.equal(log.data[0].length, 1000)
})

t.test('takes no more memory than the message needs for the last fragment', async t => {
  const { log, parser } = build()
  const allocations = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  parser.parseChunk(Buffer.concat([begin(bytesOf(600), 2), more(bytesOf(100), true)]))
  t.strictSame(allocations().map(({ args }) => args[0]), [600, 700])
  t.equal(log.data[0].buffer.byteLength, 700)
})

t.test('holds no memory after a whole message, a stop at the end, or the end', async t => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const bytes = binary(bytesOf(5000))
  const half = bytes.subarray(0, 3000)
  const fragments = Buffer.concat([begin(bytesOf(3000), 2), more(bytesOf(3000)), more('', true)])
  const rows: Array<[name: string, chunks: Buffer[], then: (parser: FrameParser) => void]> = [
    ['a whole message', [bytes], () => {}],
    ['a message in two chunks', [half, bytes.subarray(3000)], () => {}],
    ['a fragmented message', [fragments], () => {}],
    ['a partial frame, ended', [half], parser => parser.stopForever()],
    ['a partial message, ended', [fragments.subarray(0, 6016)], parser => parser.stopForever()],
    ['bytes that wait, ended', [bytes, bytes], parser => parser.stopForever()]
  ]
  const refs: Array<[string, WeakRef<object>]> = []
  // In its own function, so that no variable of the test keeps the released bytes alive.
  const parsed = ([name, chunks, then]: typeof rows[number]): FrameParser => {
    const parser = new FrameParser(
      {
        onMessage: () => false,
        onCompressed: () => false,
        onPing () {},
        onPong () {},
        onCloseFrame () {},
        onViolation () {}
      },
      1 << 20,
      16,
      false
    )
    const allocate = Buffer.allocUnsafeSlow
    Buffer.allocUnsafeSlow = size => {
      const buffer = allocate(size)
      refs.push([name, new WeakRef(buffer.buffer)])
      return buffer
    }
    for (const chunk of chunks) {
      const copy = Buffer.allocUnsafeSlow(chunk.length)
      chunk.copy(copy)
      parser.parseChunk(copy)
    }
    Buffer.allocUnsafeSlow = allocate
    then(parser)
    return parser
  }
  const parsers = rows.map(parsed)
  await setImmediate()
  gc()
  t.strictSame(refs.filter(([, ref]) => ref.deref() !== undefined).map(([name]) => name), [])
  t.notOk(parsers.some(parser => parser.bytesWaiting > 0 || parser.hasPartialFrame))
})
