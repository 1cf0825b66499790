import t from 'tap'
import { RecentKeys } from '../../lib/shared/recent-keys.js'
import { ManualClock } from '../properties/clock.js'

t.test('tells the first time of a key, until it is forgotten', async (t) => {
  const clock = new ManualClock()
  const keys = new RecentKeys({ limit: 10, forgetAfter: 100 }, clock)
  t.equal(keys.add('a'), true)
  clock.advance(50)
  t.equal(keys.add('b'), true)
  t.equal(keys.add('a'), false)
  clock.advance(50)
  t.equal(keys.add('b'), false)
  t.equal(keys.add('a'), true, 'only the oldest is forgotten')
})

t.test('remembers a limited number of keys, and takes no new ones above it', async (t) => {
  const keys = new RecentKeys({ limit: 2 }, new ManualClock())
  t.strictSame(['a', 'b', 'c', 'b', 'c'].map((key) => keys.add(key)),
    [true, true, false, false, false])
})
