import t from 'tap'
import { Counters } from '../../lib/process/counters.js'

t.test('counts exits by reason, and as `other` after a hundred reasons', async (t) => {
  const counters = new Counters()
  for (let i = 0; i < 100; i++) counters.countExit(`reason ${i}`)
  counters.countExit('reason 7')
  counters.countExit('one too many')
  counters.countExit('and another')
  t.equal(Object.keys(counters.exited).length, 101)
  t.equal(counters.exited['reason 7'], 2)
  t.equal(counters.exited.other, 2)
})

t.test('counts a reason named __proto__', async (t) => {
  const counters = new Counters()
  counters.countExit('__proto__')
  t.strictSame(Object.entries(counters.exited), [['__proto__', 1]])
})
