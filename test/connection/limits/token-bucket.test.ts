import t from 'tap'
import { TokenBucket } from '../../../lib/connection/limits/token-bucket.js'

/** A bucket of four tokens that gets one in 100 ms. */
function bucket (): TokenBucket {
  const bucket = new TokenBucket()
  bucket.size = { interval: 100, slack: 300 }
  return bucket
}

t.test('has all its tokens at first, and one more per interval', async (t) => {
  const full = bucket()
  for (let i = 0; i < 3; i++) {
    full.take(5000, 1)
    t.equal(full.waitAt(5000), 0)
  }
  full.take(5000, 1)
  t.equal(full.waitAt(5000), 100)
  t.equal(full.waitAt(5060), 40)
  t.equal(full.waitAt(5100), 0)
  full.take(5100, 1)
  t.equal(full.waitAt(5100), 100)
})

t.test('holds no more tokens than its size', async (t) => {
  const full = bucket()
  full.take(0, 1)
  for (let i = 0; i < 4; i++) full.take(1e6, 1)
  t.equal(full.waitAt(1e6), 100)
})

t.test('gets into debt when more tokens are taken than it has', async (t) => {
  const full = bucket()
  full.take(0, 14)
  t.equal(full.waitAt(0), 1100)
})

t.test('has a token for all messages while it has no size', async (t) => {
  const full = bucket()
  full.take(0, 4)
  full.size = undefined
  t.equal(full.waitAt(0), 0)
  full.take(0, 100)
  full.size = { interval: 10, slack: 0 }
  t.equal(full.waitAt(0), 400, 'the debt of its earlier size')
})

t.test('does not wait because sums of intervals are not exact', async (t) => {
  for (const start of [0, 0.1, 1e9 + 0.3]) {
    const thirds = new TokenBucket()
    thirds.size = { interval: 1000 / 3, slack: 1000 - 1000 / 3 }
    for (let i = 0; i < 2; i++) thirds.take(start, 1)
    t.equal(thirds.waitAt(start), 0)
    thirds.take(start, 1)
    t.ok(Math.abs(thirds.waitAt(start) - 1000 / 3) < 0.001)
  }
})
