import t from 'tap'
import { History } from '../../../lib/dashboard/page/history.js'
import type { Point } from '../../../lib/dashboard/frames.js'

const point = (at: number, open = 1) => ({ at, open }) as Point
const open = [({ open }: Point) => open]

t.test('has one column of times, and one for each value', async (t) => {
  const history = new History()
  t.strictSame(history.columns(open), [[], []])
  history.add('a', [])
  t.equal(history.last, undefined)
  history.add('a', [point(1000, 5), point(2000, 6)])
  t.strictSame(history.columns(open), [[1, 2], [5, 6]])
})

t.test('takes a point once, however often it comes', async (t) => {
  const history = new History()
  history.add('a', [point(1000), point(2000)])
  history.add('a', [point(2000), point(3000)])
  t.strictSame(history.columns(open)[0], [1, 2, 3])
  t.equal(history.last?.at, 3000)
})

t.test('begins again for another node', async (t) => {
  const history = new History()
  history.add('a', [point(5000)])
  history.add('b', [point(1000)])
  t.strictSame(history.columns(open)[0], [1])
})

t.test('forgets points that are older than 5 minutes', async (t) => {
  const history = new History()
  history.add('a', [point(1000), point(2000), point(301_500)])
  t.strictSame(history.columns(open), [[2, 3, 301.5], [1, null, 1]])
})

t.test('breaks the lines where points are missing', async (t) => {
  const history = new History()
  history.add('a', [point(1000, 4), point(10_000, 7)])
  t.strictSame(history.columns(open), [[1, 2, 10], [4, null, 7]])
})
