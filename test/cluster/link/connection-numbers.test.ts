import t from 'tap'
import { ConnectionNumbers, isImplausible } from '../../../lib/cluster/link/connection-numbers.js'

const now = 1_700_000_000_000
const first = 1_700_000_000

function numbers (theirs: number): ConnectionNumbers {
  const made = new ConnectionNumbers(now + 999)
  if (theirs !== 0) made.adoptRemote(theirs)
  return made
}

t.test('a connection begins with the time, and each teardown is one more', async (t) => {
  const one = numbers(7)
  t.match(one, { local: first, remote: 7, closed: 0 })
  t.equal(one.startNext(), 7)
  t.match(one, { local: first + 1, remote: 0, closed: 7 })
  t.equal(one.startNext(), 0)
  t.match(one, { local: first + 2, remote: 0, closed: 7 })
})

t.test('what is for the connection that is, or begins one, is current', async (t) => {
  t.equal(numbers(0).classify({ src: 7, dst: 0, ack: 0 }), 'current')
  t.equal(numbers(0).classify({ src: 7, dst: first, ack: 0 }), 'current')
  t.equal(numbers(7).classify({ src: 7, dst: first, ack: 0 }), 'current')
  t.equal(numbers(7).classify({ src: 7, dst: 0, ack: 0 }), 'current')
})

t.test('what is for a connection that was torn down is stale, and buries what it came from', async (t) => {
  const one = numbers(0)
  one.startNext()
  t.equal(one.classify({ src: 7, dst: first, ack: 0 }), 'stale', 'theirs was never known here')
  t.equal(one.closed, 7)
  t.equal(one.classify({ src: 7, dst: 0, ack: 0 }), 'stale')
  t.equal(one.classify({ src: 6, dst: first, ack: 0 }), 'stale')
  t.equal(one.closed, 7, 'it never goes back')
})

t.test('what comes of a connection that was buried is stale', async (t) => {
  const one = numbers(7)
  one.startNext()
  t.equal(one.classify({ src: 7, dst: 0, ack: 0 }), 'stale')
  t.equal(one.classify({ src: 6, dst: first + 1, ack: 0 }), 'stale')
  t.equal(one.classify({ src: 8, dst: 0, ack: 0 }), 'current')
})

t.test('what is late, or ahead, is foreign; a later one of theirs begins anew', async (t) => {
  t.equal(numbers(7).classify({ src: 6, dst: 0, ack: 0 }), 'unknown')
  t.equal(numbers(7).classify({ src: 7, dst: first + 1, ack: 0 }), 'unknown')
  t.equal(numbers(7).classify({ src: 8, dst: 0, ack: 0 }), 'restarted')
  t.equal(numbers(7).classify({ src: 8, dst: first, ack: 0 }), 'restarted')
})

t.test('a number that was used before is passed over; one that is made up is not believed', async (t) => {
  const one = numbers(0)
  one.bump(first + 5, now)
  t.equal(one.local, first + 5)
  one.bump(first, now)
  t.equal(one.local, first + 5)
  one.bump(first + 2 ** 25, now)
  t.equal(one.local, first + 5)
  t.equal(isImplausible(first + 2 ** 23, now), false)
  t.equal(isImplausible(first + 2 ** 25, now), true)
})
