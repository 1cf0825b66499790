import t from 'tap'
import { ConnectionNumbers, isImplausible } from '../../../lib/cluster/link/connection-numbers.js'

const now = 1_700_000_000_000
const first = 1_700_000_000

function numbers (remote: number): ConnectionNumbers {
  const made = new ConnectionNumbers(now + 999)
  if (remote !== 0) made.adoptRemote(remote)
  return made
}

t.test('begins with the current second, and adds one with each reset', async (t) => {
  const one = numbers(7)
  t.match(one, { local: first, remote: 7, closed: 0 })
  t.equal(one.startNext(), 7)
  t.match(one, { local: first + 1, remote: 0, closed: 7 })
  t.equal(one.startNext(), 0)
  t.match(one, { local: first + 2, remote: 0, closed: 7 })
})

t.test('classifies a batch for this connection, or a new one, as current', async (t) => {
  t.equal(numbers(0).classify({ src: 7, dst: 0, ack: 0 }), 'current')
  t.equal(numbers(0).classify({ src: 7, dst: first, ack: 0 }), 'current')
  t.equal(numbers(7).classify({ src: 7, dst: first, ack: 0 }), 'current')
  t.equal(numbers(7).classify({ src: 7, dst: 0, ack: 0 }), 'current')
})

t.test(
  'classifies a batch for a closed connection as stale, and closes its own connection',
  async (t) => {
    const one = numbers(0)
    one.startNext()
    t.equal(
      one.classify({ src: 7, dst: first, ack: 0 }),
      'stale',
      'the remote number was not known yet'
    )
    t.equal(one.closed, 7)
    t.equal(one.classify({ src: 7, dst: 0, ack: 0 }), 'stale')
    t.equal(one.classify({ src: 6, dst: first, ack: 0 }), 'stale')
    t.equal(one.closed, 7, 'it never decreases')
  }
)

t.test('classifies a batch from a closed connection as stale', async (t) => {
  const one = numbers(7)
  one.startNext()
  t.equal(one.classify({ src: 7, dst: 0, ack: 0 }), 'stale')
  t.equal(one.classify({ src: 6, dst: first + 1, ack: 0 }), 'stale')
  t.equal(one.classify({ src: 8, dst: 0, ack: 0 }), 'current')
})

t.test(
  'classifies late and early batches as unknown, and a later remote connection as restarted',
  async (t) => {
    t.equal(numbers(7).classify({ src: 6, dst: 0, ack: 0 }), 'unknown')
    t.equal(numbers(7).classify({ src: 7, dst: first + 1, ack: 0 }), 'unknown')
    t.equal(numbers(7).classify({ src: 8, dst: 0, ack: 0 }), 'restarted')
    t.equal(numbers(7).classify({ src: 8, dst: first, ack: 0 }), 'restarted')
  }
)

t.test('skips numbers that were used before, and ignores implausible ones', async (t) => {
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
