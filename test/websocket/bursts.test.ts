// The burst that `maxBufferedAmount` allows to a client whose buffer was empty.
import t from 'tap'
import { build, turn } from './sink.js'
import { Slice } from '../../lib/shared/slice.js'

t.test('allows a burst of 16 times the limit when the buffer was empty', async t => {
  const { sender } = build()
  let taken = 0
  while (sender.bufferedBytes <= 100 || sender.allowsBurst(100)) {
    sender.sendEncoded(new Slice(Buffer.alloc(10)))
    taken++
  }
  t.equal(taken, 161)
  await turn()
  t.equal(sender.bufferedBytes, 0)
  sender.sendEncoded(new Slice(Buffer.alloc(101)))
  t.ok(sender.allowsBurst(100), 'in each iteration that begins with an empty buffer')
})

t.test('applies the limit to a burst after the socket had one iteration to drain', async t => {
  const { sink, sender } = build()
  sink.open = false
  sender.sendEncoded(new Slice(Buffer.alloc(2000)))
  t.ok(sender.allowsBurst(1000))
  t.ok(sender.allowsBurst(1000), 'also when it is called again')
  await turn()
  t.ok(sender.allowsBurst(1000), 'it was written just now')
  await turn()
  t.notOk(sender.allowsBurst(1000), 'the client did not read it')
  sink.go()
  await turn()
  t.equal(sender.bufferedBytes, 0)
  sender.sendEncoded(new Slice(Buffer.alloc(2000)))
  t.ok(sender.allowsBurst(1000), 'it has read everything since then')
})

t.test('allows another burst to a client that has read the last one in time', async t => {
  const { sink, sender } = build()
  sink.open = false
  sender.sendEncoded(new Slice(Buffer.alloc(2000)))
  t.ok(sender.allowsBurst(1000))
  await turn()
  sink.go()
  await turn()
  sender.sendEncoded(new Slice(Buffer.alloc(2000)))
  t.ok(sender.allowsBurst(1000))
})

t.test('allows no burst while bytes of an earlier iteration are buffered', async t => {
  const { sink, sender } = build()
  sink.open = false
  sender.sendEncoded(new Slice(Buffer.alloc(600)))
  await turn()
  t.equal(sender.bufferedBytes, 600)
  sender.sendEncoded(new Slice(Buffer.alloc(500)))
  t.notOk(sender.allowsBurst(1000))
  await turn()
  sink.open = true
  sink.go()
  await turn()
  t.equal(sender.bufferedBytes, 0, 'less than a high-water mark drains without an event')
  sender.sendEncoded(new Slice(Buffer.alloc(2000)))
  t.ok(sender.allowsBurst(1000))
})

t.test('a drain in the iteration of a burst does not make the burst late', async t => {
  const { sink, sender } = build()
  sender.sendEncoded(new Slice(Buffer.alloc(64 * 1024)))
  sink.open = false
  sender.sendEncoded(new Slice(Buffer.alloc(64 * 1024)))
  sender.sendEncoded(new Slice(Buffer.alloc(64 * 1024)))
  t.ok(sink.writableNeedDrain)
  sink.go()
  await new Promise((resolve) => { process.nextTick(resolve) })
  t.equal(sender.bufferedBytes, 64 * 1024, 'it was drained, and holds the later frames')
  t.ok(sender.allowsBurst(10_000))
})

t.test('applies the limit to a burst only after busy processes let it be written', async t => {
  let busy = true
  const { sink, sender } = build(() => busy)
  sink.open = false
  sender.sendEncoded(new Slice(Buffer.alloc(2000)))
  t.ok(sender.allowsBurst(1000))
  await turn()
  await turn()
  t.equal(sink.chunks.length, 0)
  t.ok(sender.allowsBurst(1000))
  busy = false
  await turn()
  t.equal(sink.chunks.length, 1)
  t.ok(sender.allowsBurst(1000))
  await turn()
  t.notOk(sender.allowsBurst(1000))
})

t.test('gives a second burst its own iteration after the first one was read', async t => {
  for (const isTakenAtOnce of [true, false]) {
    const { sink, sender } = build()
    sink.open = isTakenAtOnce
    sender.sendEncoded(new Slice(Buffer.alloc(2000)))
    t.ok(sender.allowsBurst(1000))
    await turn()
    sink.go()
    await new Promise((resolve) => { process.nextTick(resolve) })
    sink.open = false
    sender.sendEncoded(new Slice(Buffer.alloc(2000)))
    t.ok(sender.allowsBurst(1000))
    await turn()
    t.ok(sender.allowsBurst(1000), 'only the first one had a turn to drain')
    await turn()
    t.notOk(sender.allowsBurst(1000))
  }
})
