import t from 'tap'
import { strategies } from '../../../lib/process/supervisor/strategies.js'

t.test('which children are restarted when b has failed', async (t) => {
  const children = ['a', 'b', 'c']
  t.strictSame(strategies.one_for_one(children, 'b'), ['b'])
  t.strictSame(strategies.one_for_all(children, 'b'), ['a', 'b', 'c'])
  t.strictSame(strategies.rest_for_one(children, 'b'), ['b', 'c'])
})
