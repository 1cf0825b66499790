// The parts of the page that need no browser.
import t from 'tap'
import {
  ago, bytes, clockTime, count, decimal, duration, milliseconds, percent, plural, units
} from '../../../lib/dashboard/page/format.js'
import { hashOf, parseRoute } from '../../../lib/dashboard/page/routes.js'
import { causeOf, causes, stateOf, toneOf } from '../../../lib/dashboard/page/words.js'
import type { Test } from 'tap'
import type { Unit } from '../../../lib/dashboard/page/format.js'

/** With plain spaces, so that expectations can be read. */
function same (t: Test, pairs: ReadonlyArray<readonly [text: string, expected: string]>): void {
  for (const [text, expected] of pairs) t.equal(text.replace(/[\u00a0\u202f]/g, ' '), expected)
}

t.test('writes numbers with thin spaces and few digits', async (t) => {
  same(t, [
    [count(0), '0'], [count(1234567.4), '1 234 567'],
    [decimal(0), '0'], [decimal(0.44), '0.4'], [decimal(9.96), '10'], [decimal(3400), '3 400'],
    [percent(0.005), '0.5 %'], [percent(1), '100 %'],
    [plural(1, 'process', 'processes'), '1 process'], [plural(1200, 'end'), '1 200 ends']
  ])
})

t.test('writes sizes with the unit that leaves at most three digits', async (t) => {
  same(t, [
    [bytes(0), '0 B'], [bytes(999), '999 B'], [bytes(4300), '4.2 KiB'],
    [bytes(118 * 1024 ** 2), '118 MiB'], [bytes(5000 * 1024 ** 4), '5 000 TiB']
  ])
})

t.test('writes times with two units at most', async (t) => {
  same(t, [
    [milliseconds(0.44), '0.4 ms'], [milliseconds(1500), '1.5 s'], [milliseconds(42_000), '42 s'],
    [duration(900), '0 s'], [duration(9900), '9 s'], [duration(42_000), '42 s'],
    [duration(60_000), '1 min'], [duration(310_999), '5 min 10 s'],
    [duration(11_520_000), '3 h 12 min'], [duration(4 * 86_400_000 + 7_200_000), '4 d 2 h'],
    [ago(300), 'just now'], [ago(310_999), '5 min ago']
  ])
  t.match(clockTime(Date.UTC(2026, 0, 2, 3, 4, 5)), /\d\d.04.05/)
})

t.test('repeats no label of an axis, however small the numbers are', async (t) => {
  for (const [name, { format, steps }] of Object.entries<Unit>(units)) {
    for (const step of steps.slice(0, 20)) {
      const labels = [0, 1, 2, 3, 4].map((n) => format(n * step))
      t.equal(new Set(labels).size, labels.length, `${name}: ${labels.join()}`)
    }
  }
  t.strictSame(units.count.steps.slice(0, 5), [1, 2, 5, 10, 20])
})

t.test('reads a route out of a hash that it has written', async (t) => {
  const pid = '17@eu 1/§.k3f9'
  const hash = hashOf('process', pid, { node: 'b&c', sort: '', filter: undefined })
  t.strictSame(parseRoute(hash), { view: 'process', of: pid, query: { node: 'b&c' } })
  t.equal(hashOf('ends'), '#ends')
  t.strictSame(parseRoute('#ends?cause=failed&filter=a%20b'), {
    view: 'ends', of: '', query: { cause: 'failed', filter: 'a b' }
  })
})

t.test('shows the overview when the hash is no route', async (t) => {
  for (const hash of ['', '#', '#/', '#no-such-view/x', '#constructor']) {
    t.strictSame(parseRoute(hash), { view: 'overview', of: '', query: {} }, hash)
  }
  t.equal(parseRoute('#process/%zz').of, '%zz', 'a broken escape stays as it is')
})

t.test('has words for each cause, and shows unknown ones as they are', async (t) => {
  t.equal(causeOf('failed').tone, 'bad')
  for (const { short, long } of Object.values(causes)) {
    t.ok(short.length <= 22 && long.length > 0, short)
  }
  t.strictSame(causeOf('hit_by_a_bus'), { short: 'hit by a bus', long: 'hit_by_a_bus', tone: '' })
  t.strictSame(causeOf('constructor').short, 'constructor')
})

t.test('calls a suspended connection that of a client who is away', async (t) => {
  t.equal(stateOf('suspended'), 'away')
  t.equal(stateOf('open'), 'open')
  t.equal(toneOf('away'), 'wait')
  t.equal(toneOf('waiting'), '')
})
