import t from 'tap'
import { Backoff } from '../../../lib/process/supervisor/backoff.js'
import { longestDelay } from '../../../lib/shared/duration.js'

const terms = { initial: 10, max: 100, factor: 2, jitter: 0.1 }

t.test('without terms there is no delay', async (t) => {
  t.equal(new Backoff({ backoff: undefined, period: 5 }).nextDelay(0), 0)
})

t.test('each failure in a row waits longer, up to the maximum', async (t) => {
  const backoff = new Backoff({ backoff: terms, period: 50 }, () => 0.5)
  t.strictSame([0, 0, 49, 0, 0, 0].map((ran) => backoff.nextDelay(ran)), [10, 20, 40, 80, 100, 100])
  t.equal(backoff.nextDelay(50), 10, 'a child that ran for a whole period starts a new row')
})

t.test('the jitter is a share of the delay, both ways', async (t) => {
  t.equal(new Backoff({ backoff: terms, period: 50 }, () => 0).nextDelay(0), 9)
  t.equal(new Backoff({ backoff: terms, period: 50 }, () => 1).nextDelay(0), 11)
  const delay = new Backoff({ backoff: terms, period: 50 }).nextDelay(0)
  t.ok(delay >= 9 && delay <= 11)
})

t.test('no delay is longer than a timer can be', async (t) => {
  const endless = new Backoff({ backoff: { ...terms, initial: longestDelay, max: longestDelay, factor: 1000 }, period: 50 }, () => 1)
  t.equal(endless.nextDelay(0), longestDelay)
})
