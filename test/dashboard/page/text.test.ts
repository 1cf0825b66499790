// The parts of the page that need no browser.
import t from 'tap'
import {
  ago, bytes, clockTime, count, decimal, duration, milliseconds, plural
} from '../../../lib/dashboard/page/format.js'
import { hashOf, parseRoute } from '../../../lib/dashboard/page/routes.js'
import { causeOf, causes, stateOf, toneOf } from '../../../lib/dashboard/page/words.js'

/** Plain spaces, so that expectations can be read. */
const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, ' ')

t.test('writes numbers with thin spaces and few digits', async (t) => {
  t.equal(plain(count(0)), '0')
  t.equal(plain(count(1234567.4)), '1 234 567')
  t.equal(plain(decimal(0)), '0')
  t.equal(plain(decimal(0.44)), '0.4')
  t.equal(plain(decimal(9.96)), '10')
  t.equal(plain(decimal(3400)), '3 400')
  t.equal(plain(plural(1, 'process', 'processes')), '1 process')
  t.equal(plain(plural(1200, 'end')), '1 200 ends')
})

t.test('writes sizes with the unit that leaves at most three digits', async (t) => {
  t.equal(plain(bytes(0)), '0 B')
  t.equal(plain(bytes(999)), '999 B')
  t.equal(plain(bytes(4300)), '4.2 KiB')
  t.equal(plain(bytes(118 * 1024 ** 2)), '118 MiB')
  t.equal(plain(bytes(5000 * 1024 ** 4)), '5 000 TiB')
})

t.test('writes times with two units at most', async (t) => {
  t.equal(plain(milliseconds(0.44)), '0.4 ms')
  t.equal(plain(milliseconds(1500)), '1.5 s')
  t.equal(plain(milliseconds(42_000)), '42 s')
  t.equal(plain(duration(900)), '0 s')
  t.equal(plain(duration(9900)), '9 s')
  t.equal(plain(duration(42_000)), '42 s')
  t.equal(plain(duration(60_000)), '1 min')
  t.equal(plain(duration(310_999)), '5 min 10 s')
  t.equal(plain(duration(11_520_000)), '3 h 12 min')
  t.equal(plain(duration(4 * 86_400_000 + 7_200_000)), '4 d 2 h')
  t.equal(plain(ago(300)), 'just now')
  t.equal(plain(ago(310_999)), '5 min ago')
  t.match(clockTime(Date.UTC(2026, 0, 2, 3, 4, 5)), /\d\d.04.05/)
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
