import t from 'tap'
import fc from 'fast-check'
import { Watermark } from '../../lib/shared/watermark.js'

function filled (messages: number, bytes: number): Watermark {
  const watermark = new Watermark({ messages: 8, bytes: 800 })
  for (let i = 0; i < messages; i++) watermark.countAdded(bytes)
  return watermark
}

t.test('is full at one of its limits, and congested at three quarters of one', async (t) => {
  const states = (watermark: Watermark): boolean[] => [watermark.congested, watermark.full]
  t.strictSame(states(filled(5, 1)), [false, false])
  t.strictSame(states(filled(6, 1)), [true, false])
  t.strictSame(states(filled(8, 1)), [true, true])
  t.strictSame(states(filled(1, 599)), [false, false])
  t.strictSame(states(filled(1, 600)), [true, false])
  t.strictSame(states(filled(1, 800)), [true, true])
})

t.test('is not congested while it is empty, whatever its limits', async (t) => {
  const watermark = new Watermark({ messages: 1, bytes: 100 })
  t.notOk(watermark.congested)
  watermark.countAdded(0)
  t.ok(watermark.congested)
})

t.test('resumes a producer when both counts are at most a quarter of their limits', async (t) => {
  const watermark = filled(3, 100)
  let resumed = 0
  watermark.subscribeToDrain({ resume () { resumed++ } })
  watermark.resumeProducers()
  t.equal(resumed, 0, 'too many messages and bytes')
  watermark.countRemoved(0)
  watermark.resumeProducers()
  t.equal(resumed, 0, 'too many bytes')
  watermark.countAdded(-100)
  watermark.resumeProducers()
  t.equal(resumed, 0, 'too many messages')
  watermark.countRemoved(0)
  watermark.resumeProducers()
  watermark.resumeProducers()
  t.equal(resumed, 1)
  t.notOk(watermark.hasProducers)
})

t.test('resumes no further producer when one has filled the queue again', async (t) => {
  const watermark = filled(0, 0)
  const order: string[] = []
  const producer = (name: string, messages: number) => ({
    resume () {
      order.push(name)
      for (let i = 0; i < messages; i++) watermark.countAdded(1)
    }
  })
  for (const [name, messages] of [['small', 1], ['large', 5], ['last', 1]] as const) {
    watermark.subscribeToDrain(producer(name, messages))
  }
  watermark.resumeProducers()
  t.strictSame(order, ['small', 'large'])
  for (let i = 0; i < 6; i++) watermark.countRemoved(1)
  watermark.resumeProducers()
  t.strictSame(order, ['small', 'large', 'last'])
})

t.test('does not resume a producer that unsubscribed, nor any after clear', async (t) => {
  const watermark = filled(8, 10)
  const gone = { resume () { t.fail('it has unsubscribed') } }
  const dropped = { resume () { t.fail('the queue was cleared') } }
  watermark.unsubscribeFromDrain(gone)
  watermark.subscribeToDrain(gone)
  watermark.subscribeToDrain(dropped)
  watermark.unsubscribeFromDrain(gone)
  t.ok(watermark.hasProducers)
  t.equal(watermark.clear(), 8)
  t.strictSame([watermark.length, watermark.bytes, watermark.hasProducers], [0, 0, false])
  watermark.resumeProducers()
})

const operation = fc.oneof(
  fc.record({ add: fc.nat(30) }),
  fc.constant({ remove: true as const }),
  fc.record({ subscribe: fc.nat(5), refill: fc.nat(3) }),
  fc.record({ unsubscribe: fc.nat(5) })
)

t.test('counts and resumes as a model does, for any order of operations', async (t) => {
  const limits = fc.record({ messages: fc.integer({ min: 1, max: 12 }), bytes: fc.nat(200) })
  fc.assert(fc.property(limits, fc.array(operation, { maxLength: 60 }), (limits, operations) => {
    const watermark = new Watermark(limits)
    const queue: number[] = []
    const bytes = (): number => queue.reduce((sum, size) => sum + size, 0)
    const isCongested = (): boolean => {
      return queue.length >= Math.max(1, limits.messages * 0.75) || bytes() >= limits.bytes * 0.75
    }
    const add = (size: number): void => {
      queue.push(size)
      watermark.countAdded(size)
    }
    /** The producers that wait, in order, and those that were resumed. */
    let waiting: number[] = []
    const resumed: number[] = []
    const producers = Array.from({ length: 6 }, (_, id) => ({
      refill: 0,
      resume (): void {
        resumed.push(id)
        for (let i = 0; i < this.refill; i++) add(1)
      }
    }))
    const checkResumed = (): boolean => {
      const isDrained = queue.length <= limits.messages * 0.25 && bytes() <= limits.bytes * 0.25
      resumed.length = 0
      watermark.resumeProducers()
      const isPrefix = resumed.every((id, i) => waiting[i] === id)
      waiting = waiting.slice(resumed.length)
      if (!isDrained) return resumed.length === 0
      return isPrefix && (waiting.length === 0 || isCongested())
    }
    return operations.every((each) => {
      if ('add' in each) add(each.add)
      else if ('remove' in each) {
        const size = queue.shift()
        if (size !== undefined) watermark.countRemoved(size)
        if (!checkResumed()) return false
      } else if ('subscribe' in each) {
        const producer = producers[each.subscribe]
        producer.refill = each.refill
        watermark.subscribeToDrain(producer)
        if (!waiting.includes(each.subscribe)) waiting.push(each.subscribe)
      } else {
        watermark.unsubscribeFromDrain(producers[each.unsubscribe])
        waiting = waiting.filter((id) => id !== each.unsubscribe)
      }
      return watermark.length === queue.length && watermark.bytes === bytes() &&
        watermark.congested === isCongested() &&
        watermark.full === (queue.length >= limits.messages || bytes() >= limits.bytes) &&
        watermark.hasProducers === (waiting.length > 0)
    })
  }))
  t.pass()
})
