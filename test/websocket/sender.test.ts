import fc from 'fast-check'
import t from 'tap'
import { nodeClock } from '../../lib/shared/clock.js'
import { Flusher, Sender } from '../../lib/websocket/sender.js'
import { Sink, build, turn } from './sink.js'
import { areHeld, smallSlice } from '../held.js'
import { Slice } from '../../lib/shared/slice.js'

t.test('joins the frames of one iteration, and does not copy a single frame', async t => {
  const { sink, sender } = build()
  const one = Buffer.from('one')
  sender.sendEncoded(new Slice(one))
  t.equal(sender.bufferedBytes, 3)
  t.equal(sink.chunks.length, 0)
  await turn()
  t.equal(sink.chunks[0], one)
  t.equal(sender.bufferedBytes, 0)
  for (const text of ['a', 'b', 'c']) sender.sendEncoded(new Slice(Buffer.from(text)))
  await turn()
  t.strictSame(sink.chunks.map(String), ['one', 'abc'])
  t.equal(sink.writes, 2)
})

t.test('writes larger frames with writev, without joining them', async t => {
  const { sink, sender } = build()
  for (const text of ['a', 'b']) sender.sendEncoded(new Slice(Buffer.alloc(5000, text)))
  await turn()
  t.strictSame(
    sink.chunks.map((chunk) => [chunk.length, String(chunk[0])]),
    [
      [5000, '97'],
      [5000, '98']
    ]
  )
})

t.test('writes 64 KiB or 1024 frames without waiting for the end of the iteration', async t => {
  const { sink, sender } = build()
  sender.sendEncoded(new Slice(Buffer.alloc(64 * 1024)))
  t.equal(sink.chunks.length, 1)
  const many = build()
  for (let i = 0; i < 1024; i++) many.sender.sendEncoded(new Slice(Buffer.from('x')))
  t.equal(many.sink.bytes.length, 1024)
})

t.test('flushes each sender of a loop iteration once', async t => {
  const flusher = new Flusher(nodeClock)
  const sinks = Array.from({ length: 5 }, () => new Sink())
  for (const [i, sink] of sinks.entries()) {
    const sender = new Sender(sink, flusher)
    sender.sendEncoded(new Slice(Buffer.from(`${i}`)))
    sender.flush()
    sender.sendEncoded(new Slice(Buffer.from('!')))
  }
  flusher.encoder.encodeText('x')
  const encoded = flusher.encoder.encodedTexts
  await turn()
  t.strictSame(sinks.map(({ bytes }) => bytes), ['0!', '1!', '2!', '3!', '4!'])
  flusher.encoder.encodeText('x')
  t.equal(flusher.encoder.encodedTexts, encoded + 1, 'the last text is no longer cached')
})

t.test('senders with the same frames share one joined chunk, others do not', async t => {
  const flusher = new Flusher(nodeClock)
  const [a, b, c] = ['a', 'b', 'c'].map((text) => new Slice(Buffer.from(text)))
  const rows = [[a, b], [a, b], [b, a], [a, b, c], [a, b, c], [a, b]]
  const sinks = rows.map((frames) => {
    const sink = new Sink()
    const sender = new Sender(sink, flusher)
    for (const frame of frames) sender.sendEncoded(frame)
    return sink
  })
  await turn()
  t.strictSame(sinks.map(({ bytes }) => bytes), ['ab', 'ab', 'ba', 'abc', 'abc', 'ab'])
  t.equal(new Set(sinks.map(({ chunks }) => chunks[0])).size, 4)
  t.equal(sinks[0].chunks[0], sinks[1].chunks[0])
  const sender = new Sender(sinks[0], flusher)
  sender.sendEncoded(a)
  sender.sendEncoded(b)
  await turn()
  t.not(sinks[0].chunks[1], sinks[5].chunks[0], 'the joined chunk is no longer cached')
})

t.test('delays a flush while processes have mail, up to a limit', async t => {
  let busy = true
  const { sink, sender } = build(() => busy)
  sender.sendEncoded(new Slice(Buffer.from('a')))
  await turn()
  t.equal(sink.bytes, '')
  sender.sendEncoded(new Slice(Buffer.from('b')))
  busy = false
  await turn()
  t.equal(sink.bytes, 'ab')
  t.equal(sink.writes, 1)
  for (const text of ['c', 'd']) {
    busy = true
    sender.sendEncoded(new Slice(Buffer.from(text)))
    let turns = 0
    while (!sink.bytes.endsWith(text) && turns < 100) {
      turns++
      await turn()
    }
    t.equal(turns, 5)
  }
})

t.test('counts bytes that were written to the socket before the sender existed', async t => {
  const { sink, sender } = build()
  sink.open = false
  sink.write('head')
  t.equal(sender.bufferedBytes, 4)
  sink.open = true
  sink.go()
  t.equal(sender.bufferedBytes, 0)
})

t.test('waits for the drain of a full socket', async t => {
  const { sink, sender } = build()
  sink.open = false
  sender.sendEncoded(new Slice(Buffer.alloc(2000, 'a')))
  await turn()
  sender.sendEncoded(new Slice(Buffer.from('b')))
  await turn()
  t.equal(sink.chunks.length, 1)
  t.equal(sender.bufferedBytes, 2001)
  sink.open = true
  sink.go()
  await turn()
  t.equal(sink.bytes, `${'a'.repeat(2000)}b`)
  t.equal(sender.bufferedBytes, 0)
})

t.test('packs waiting small frames into larger chunks', async t => {
  const { sink, sender } = build()
  let expected = ''
  for (const [times, round] of ['a', 'b'].entries()) {
    sink.open = false
    const first = Buffer.alloc(70_000, round)
    expected += first.toString()
    sender.sendEncoded(new Slice(first))
    const frame = Buffer.from(`${round};`)
    for (let i = 0; i < 40_000; i++) sender.sendEncoded(new Slice(frame))
    expected += `${round};`.repeat(40_000)
    t.equal(sender.bufferedBytes, 150_000)
    // Packed frames were copied, so their buffers can be released.
    frame.fill('!')
    sink.open = true
    sink.go()
    await turn()
    await turn()
    t.equal(sink.bytes.length, expected.length)
    t.equal(
      sink.bytes.split('!!').length - 1,
      (times + 1) * (40_000 % 128),
      'only the last frames were not packed'
    )
  }
})

t.test('frames that wait for the socket do not hold the slabs of others', async (t) => {
  const { sink, sender } = build()
  sink.open = false
  sender.sendEncoded(new Slice(Buffer.alloc(70_000)))
  await turn()
  const refs: Array<WeakRef<ArrayBufferLike>> = []
  for (let i = 0; i < 300; i++) {
    const frame = smallSlice(`frame ${i}`)
    refs.push(new WeakRef(frame.memory.buffer))
    sender.sendEncoded(frame)
    await turn()
  }
  const held = await areHeld(refs)
  t.equal(held.indexOf(true), 256)
  t.equal(held.lastIndexOf(false), 255)
})

t.test(
  'calls back when the kernel has a frame, and never after the socket is destroyed',
  async (t) => {
    const { sink, sender } = build()
    const written: string[] = []
    sender.sendEncoded(new Slice(Buffer.from('a')), () => {
      written.push('a')
    })
    sender.sendEncoded(new Slice(Buffer.from('b')), () => {
      written.push('b')
    })
    sender.flush()
    t.strictSame(written, ['a', 'b'], 'at once when the kernel has it')
    sink.open = false
    sender.sendEncoded(new Slice(Buffer.from('c')), () => {
      written.push('c')
    })
    sender.flush()
    await turn()
    t.strictSame(written, ['a', 'b'])
    sink.go()
    await turn()
    t.strictSame(written, ['a', 'b', 'c'])
    sender.sendEncoded(new Slice(Buffer.from('d')), () => {
      written.push('d')
    })
    sender.flush()
    sink.destroy()
    sink.go()
    await turn()
    sender.sendEncoded(new Slice(Buffer.from('e')), () => {
      written.push('e')
    })
    await turn()
    t.strictSame(written, ['a', 'b', 'c'])
  }
)

t.test('whenFlushed calls back after all frames, at once when none is waiting', async t => {
  const { sink, sender } = build()
  let calls = 0
  sender.whenFlushed(() => { calls++ })
  t.equal(calls, 1)
  sink.open = false
  sender.sendEncoded(new Slice(Buffer.alloc(2000)))
  sender.flush()
  sender.sendEncoded(new Slice(Buffer.from('b')))
  sender.whenFlushed(() => {
    calls++
    t.equal(sink.writableLength > 0 || sink.bytes.endsWith('b'), true)
  })
  await turn()
  t.equal(calls, 1)
  sink.open = true
  sink.go()
  await turn()
  t.equal(calls, 2)
  sender.flush()
  t.equal(calls, 2)
})

t.test('writes all bytes once and in order for any sends, flushes and drains', async () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('push' as const),
      size: fc.oneof(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 9000 }),
        fc.constant(70_000)
      ),
      times: fc.constantFrom(1, 1, 3, 1500)
    }),
    fc.record({
      do: fc.constantFrom('flush' as const, 'block' as const, 'go' as const, 'turn' as const)
    })
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const { sink, sender } = build()
      const expected: Buffer[] = []
      let written = 0
      let asked = 0
      let next = 0
      for (const one of steps) {
        if (one.do === 'push') {
          for (let i = 0; i < one.times && (one.times === 1 || one.size < 100); i++) {
            const frame = Buffer.alloc(one.size, next++)
            expected.push(frame)
            if (next % 3 === 0) {
              asked++
              sender.sendEncoded(new Slice(frame), () => {
                written++
              })
            } else sender.sendEncoded(new Slice(frame))
          }
        } else if (one.do === 'flush') sender.flush()
        else if (one.do === 'block') sink.open = false
        else if (one.do === 'go') sink.go()
        else await turn()
        const waiting =
          expected.reduce((sum, { length }) => sum + length, 0) -
          sink.chunks.reduce((sum, { length }) => sum + length, 0)
        if (sender.bufferedBytes < waiting) {
          throw new Error(`${sender.bufferedBytes} instead of ${waiting} bytes wait`)
        }
      }
      let over = false
      sender.whenFlushed(() => {
        over = true
      })
      sink.open = true
      for (let i = 0; i < 3; i++) {
        sink.go()
        await turn()
      }
      if (!Buffer.concat(sink.chunks).equals(Buffer.concat(expected))) {
        throw new Error('other bytes')
      }
      if (written !== asked || !over) throw new Error(`${written} of ${asked} told`)
    }),
    { numRuns: 150 }
  )
})
