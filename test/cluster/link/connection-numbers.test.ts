import t from 'tap'
import { ConnectionNumbers, isMadeUp } from '../../../lib/cluster/link/connection-numbers.js'

const now = 1_700_000_000_000
const first = 1_700_000_000

function numbers (theirs: number): ConnectionNumbers {
  const made = new ConnectionNumbers(now + 999)
  if (theirs !== 0) made.adopt(theirs)
  return made
}

t.test('a connection begins with the time, and each teardown is one more', async (t) => {
  const one = numbers(7)
  t.match(one, { mine: first, theirs: 7, buried: 0 })
  t.equal(one.next(), 7)
  t.match(one, { mine: first + 1, theirs: 0, buried: 7 })
  t.equal(one.next(), 0)
  t.match(one, { mine: first + 2, theirs: 0, buried: 7 })
})

t.test('what is for the connection that is, or begins one, is current', async (t) => {
  t.equal(numbers(0).judge({ src: 7, dst: 0, ack: 0 }), 'current')
  t.equal(numbers(0).judge({ src: 7, dst: first, ack: 0 }), 'current')
  t.equal(numbers(7).judge({ src: 7, dst: first, ack: 0 }), 'current')
  t.equal(numbers(7).judge({ src: 7, dst: 0, ack: 0 }), 'current')
})

t.test('what is for a connection that was torn down is stale, and buries what it came from', async (t) => {
  const one = numbers(0)
  one.next()
  t.equal(one.judge({ src: 7, dst: first, ack: 0 }), 'stale', 'theirs was never known here')
  t.equal(one.buried, 7)
  t.equal(one.judge({ src: 7, dst: 0, ack: 0 }), 'stale')
  t.equal(one.judge({ src: 6, dst: first, ack: 0 }), 'stale')
  t.equal(one.buried, 7, 'it never goes back')
})

t.test('what comes of a connection that was buried is stale', async (t) => {
  const one = numbers(7)
  one.next()
  t.equal(one.judge({ src: 7, dst: 0, ack: 0 }), 'stale')
  t.equal(one.judge({ src: 6, dst: first + 1, ack: 0 }), 'stale')
  t.equal(one.judge({ src: 8, dst: 0, ack: 0 }), 'current')
})

t.test('what is late, or ahead, is foreign; a later one of theirs begins anew', async (t) => {
  t.equal(numbers(7).judge({ src: 6, dst: 0, ack: 0 }), 'foreign')
  t.equal(numbers(7).judge({ src: 7, dst: first + 1, ack: 0 }), 'foreign')
  t.equal(numbers(7).judge({ src: 8, dst: 0, ack: 0 }), 'anew')
  t.equal(numbers(7).judge({ src: 8, dst: first, ack: 0 }), 'anew')
})

t.test('a number that was used before is passed over; one that is made up is not believed', async (t) => {
  const one = numbers(0)
  one.raise(first + 5, now)
  t.equal(one.mine, first + 5)
  one.raise(first, now)
  t.equal(one.mine, first + 5)
  one.raise(first + 2 ** 25, now)
  t.equal(one.mine, first + 5)
  t.equal(isMadeUp(first + 2 ** 23, now), false)
  t.equal(isMadeUp(first + 2 ** 25, now), true)
})
