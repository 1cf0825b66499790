// The parts that the figures of the benches depend on.
import t from 'tap'
import { FrameCounter, maskedFrame, opcodes } from '../../bench/load/frames.js'
import { Histogram } from '../../bench/load/histogram.js'
import { ratios, show, showSpread, spread } from '../../bench/rig/statistics.js'
import { plot } from '../../bench/rig/plot.js'
import { table } from '../../bench/rig/markdown.js'
import { FrameParser } from '../../lib/websocket/parser.js'
import { closeFrame, frame, pingFrame, pongFrame, textFrame } from '../../lib/websocket/frames.js'

/** Counts what is in some bytes that come in pieces of a size. */
function count (bytes: Buffer, size: number, expected?: number) {
  const controls: number[] = []
  const counter = new FrameCounter((opcode) => { controls.push(opcode) })
  counter.expected = expected
  for (let at = 0; at < bytes.length; at += size) {
    counter.read(bytes, at, Math.min(at + size, bytes.length))
  }
  return { messages: counter.messages, wrong: counter.wrong, controls }
}

t.test('the generator sends frames that a server reads', async (t) => {
  for (const size of [0, 1, 125, 126, 4096]) {
    const text = 'x'.repeat(size)
    const read: string[] = []
    const parser = new FrameParser({
      onMessage (message) {
        read.push(message.toString())
        return true
      },
      onCompressed: () => true,
      onPing () {},
      onPong () {},
      onCloseFrame () {},
      onViolation () {}
    }, 1 << 20, 1, false)
    parser.parseChunk(maskedFrame(text))
    t.same(read, [text])
  }
})

t.test('the generator counts messages in chunks of any size', async (t) => {
  for (const length of [0, 5, 200, 70_000]) {
    const bytes = Buffer.concat(new Array<Buffer>(20).fill(textFrame('y'.repeat(length)).bytes))
    for (const size of [1, 7, 4096, bytes.length]) {
      t.same(
        count(bytes, size, length),
        { messages: 20, wrong: 0, controls: [] },
        `${length} bytes in pieces of ${size}`
      )
    }
  }
})

t.test('counts a fragmented message once', async (t) => {
  const first = frame(opcodes.text, Buffer.from('frag')).bytes
  first[0] &= 0x7f
  t.same(count(Buffer.concat([first, frame(0, Buffer.from('ments')).bytes]), 3, 9), {
    messages: 1,
    wrong: 0,
    controls: []
  })
})

t.test('reports pings and closes, but no pongs', async (t) => {
  const frames = [pingFrame(), pongFrame(Buffer.from('p')), closeFrame(1000, 'done')]
  const bytes = Buffer.concat(frames.map(({ bytes }) => bytes))
  t.same(count(bytes, bytes.length), {
    messages: 0,
    wrong: 0,
    controls: [opcodes.ping, opcodes.close]
  })
})

t.test('detects frames that a server must not send', async (t) => {
  t.equal(count(textFrame('short').bytes, 99, 6).wrong, 1, 'another length')
  const masked = textFrame('masked').bytes
  masked[1] |= 0x80
  t.equal(count(masked, 99).wrong, 1, 'a mask')
  const compressed = textFrame('rsv1').bytes
  compressed[0] |= 0x40
  t.equal(count(compressed, 99).wrong, 1, 'a reserved bit')
})

t.test('a histogram computes percentiles within 3 %', async (t) => {
  const histogram = new Histogram()
  t.equal(histogram.percentile(0.5), 0)
  for (let i = 1; i <= 10_000; i++) histogram.add(i)
  for (const share of [0.01, 0.5, 0.99, 1]) {
    t.ok(Math.abs(histogram.percentile(share) / (share * 10_000) - 1) < 0.03)
  }
  histogram.clear()
  histogram.add(0)
  t.ok(histogram.percentile(1) <= 0.0011)
})

t.test('a figure has a median and a range', async (t) => {
  t.same(spread([3, 1, 2]), { median: 2, min: 1, max: 3 })
  t.same(spread([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4 })
  t.equal(showSpread(spread([1234.5, 0.123, 45.67])), '45.7 [0.12–1,235]')
  t.equal(show(-100.4), '-100')
})

t.test('computes ratios in the rounds where both were measured', async (t) => {
  t.same(ratios([2, 30, undefined, 5], [1, 10, 7, undefined]), { median: 2.5, min: 2, max: 3 })
  t.equal(ratios([undefined], [1]), undefined)
})

t.test('tables and plots contain the given values', async (t) => {
  t.equal(table(['', 'µs'], [['echo', '1.5']]), '|  | µs |\n| --- | ---: |\n| echo | 1.5 |')
  const drawn = plot(
    'Cost',
    'µs',
    [10, 100],
    [
      { name: 'a<b', values: [2, 3] },
      { name: 'same', values: [1, 3] }
    ]
  )
  t.match(drawn, /^<svg [^]*a&lt;b[^]*<\/svg>\n$/)
  t.equal(drawn.match(/<polyline/g)?.length, 2)
  t.match(drawn, '>10 µs<')
})
