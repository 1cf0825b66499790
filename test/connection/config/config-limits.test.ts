// The fields `limit`, `expires_at`, `expires_in` and `expiry_notice`.
import t from 'tap'
import { parseControl } from '../../../lib/connection/config.js'
import { success } from '../../../lib/shared/result.js'
import { accepted, controlProblem, day, limits, pid, problem } from './config-support.js'

const target = { target_pid: pid }

t.test('accepts rates per second, minute and hour', async (t) => {
  const messages: Array<[rate: string, interval: number]> = [
    ['50/s', 20], ['1/s', 1000], ['0.5/s', 2000], ['3000/m', 20], ['60/m', 1000], ['1/h', 3_600_000],
    ['1000000/s', 0.001]
  ]
  for (const [rate, interval] of messages) {
    const slack = Math.max(0, 1000 - interval)
    const limit = { messages: { interval, slack }, bytes: undefined, over: 'pause' }
    t.strictSame(accepted({ ...target, limit: { messages: rate } }).limit, limit)
    t.strictSame(accepted(JSON.stringify({ ...target, limit: { messages: rate } })).limit, limit)
    t.same(parseControl({ limit: { messages: rate } }, limits), success({ limit }))
  }
  const bytes: Array<[rate: string, interval: number]> = [
    ['1B/s', 1000], ['1000B/s', 1], ['1KiB/s', 1000 / 1024], ['256KiB/s', 1000 / 262_144],
    ['1.5MiB/m', 60_000 / 1_572_864], ['1GiB/s', 1000 / 1024 ** 3], ['1B/h', 3_600_000]
  ]
  for (const [rate, interval] of bytes) {
    t.match(accepted({ ...target, limit: { bytes: rate } }).limit, {
      messages: undefined, bytes: { interval }
    })
  }
})

t.test('accepts a burst in seconds, and both actions', async (t) => {
  const messages = '10/s'
  t.match(accepted({ ...target, limit: { messages, burst: 2, over: 'close' } }).limit, {
    messages: { interval: 100, slack: 1900 }, over: 'close'
  })
  t.match(accepted({ ...target, limit: { messages, bytes: '10B/s', burst: 0.1 } }).limit, {
    messages: { interval: 100, slack: 0 }, bytes: { interval: 100, slack: 0 }, over: 'pause'
  })
  t.match(accepted({ ...target, limit: { messages, burst: 3600 } }).limit, {
    messages: { slack: 3_599_900 }
  })
})

t.test('refuses any other limit', async (t) => {
  const wrong: unknown[] = [
    '50/s', 50, true, [], ['50/s'], {}, { burst: 2 }, { over: 'close' }, { mesages: '50/s' },
    { messages: '50/s', ovre: 'close' }, { messages: '50/s', over: 'drop' },
    { messages: '50/s', burst: 0 }, { messages: '50/s', burst: 0.09 },
    { messages: '50/s', burst: 3601 }, { messages: '50/s', burst: '2s' },
    { messages: '50/s', burst: NaN }, { messages: null }, { messages: '50/s', bytes: null }
  ]
  for (const messages of [
    '', '50', '/s', '50/', '50 /s', ' 50/s', '50/s ', '50/S', '50/ms', '50/d', '50/min', '50/10s',
    '-5/s', '+5/s', '5e3/s', '.5/s', '5./s', '0/s', '0.0/h', '0.9/h', '1000001/s', '1,5/s',
    '9'.repeat(31) + '/s', 50, true, {}, '50B/s'
  ]) wrong.push({ messages })
  for (const bytes of [
    '', '1000/s', '1KB/s', '1kB/s', '1kb/s', '1KIB/s', '1MB/s', '1Mib/s', '1 KiB/s', '1KiB', 'KiB/s',
    '0KiB/s', '1025MiB/s', '2GiB/s', '0.5B/h', 1000
  ]) wrong.push({ bytes })
  for (const limit of wrong) {
    t.match(problem({ ...target, limit }), /^limit(\/\w+)?: expected /, JSON.stringify(limit))
    t.match(controlProblem({ limit }), /^limit(\/\w+)?: expected /, JSON.stringify(limit))
  }
  t.match(problem({ ...target, limit: null }), /^limit: expected an object with messages .*null$/)
  t.same(
    problem({ ...target, limit: { messages: '0/s' } }),
    "limit/messages: expected from 1/h to 1000000/s, got '0/s'"
  )
  t.equal(
    problem({ ...target, limit: { messages: '50/s', ovre: 'close' } }),
    'limit/ovre: expected no such field, got close'
  )
})

t.test('reads each field of a limit once', async (t) => {
  let reads = 0
  const limit = {
    get messages () {
      return ++reads === 2 ? '10/s' : 'anything else'
    }
  }
  // The size of the value is that of its JSON, which reads it as well.
  t.match(accepted({ ...target, limit }).limit, { messages: { interval: 100 } })
  t.equal(reads, 2)
})

t.test('accepts expires_at in milliseconds since 1970', async (t) => {
  for (const at of [1e11, 1_800_000_000_000, 1_800_000_000_000.5, 8.64e15]) {
    t.strictSame(accepted({ ...target, expires_at: at }).expires, { at })
    t.same(parseControl({ expires_at: at }, limits), success({ expires: { at } }))
  }
  const expected = /^expires_at: expected milliseconds since 1970, not seconds: from 100000000000 /
  for (const at of [
    0, -1, 1_800_000_000, 99_999_999_999, 8.64e15 + 1, NaN, Infinity, '1800000000000', '', true, {},
    new Date()
  ]) {
    t.match(problem({ ...target, expires_at: at }), expected)
    t.match(controlProblem({ expires_at: at }), expected)
  }
  t.match(problem({ ...target, expires_at: null }), expected)
})

t.test('accepts expires_in from 100 ms to 366 days', async (t) => {
  for (const [value, ms] of [[100, 100], ['15m', 900_000], ['8784h', 366 * day]]) {
    t.strictSame(accepted({ ...target, expires_in: value }).expires, { in: ms })
    t.same(parseControl({ expires_in: value }, limits), success({ expires: { in: ms } }))
  }
  for (const value of [0, 99, -1, 366 * day + 1, '8785h', '1d', '', 'soon', NaN, true, {}]) {
    t.match(problem({ ...target, expires_in: value }), /^expires_in: /)
    t.match(controlProblem({ expires_in: value }), /^expires_in: /)
  }
  t.match(problem({ ...target, expires_in: null }), /^expires_in: .*null$/)
})

t.test('refuses two ends of one connection', async (t) => {
  const both = { expires_at: 1_800_000_000_000, expires_in: '1m' }
  const expected = 'expires_in: expected no expires_at beside it'
  t.equal(problem({ ...target, ...both }), expected)
  t.equal(controlProblem(both), expected)
  t.equal(controlProblem({ expires_at: null, expires_in: '1m' }), expected)
  t.equal(controlProblem({ expires_at: 1_800_000_000_000, expires_in: null }), expected)
})

t.test('accepts expiry_notice from 100 ms to 24 h, with an end or without', async (t) => {
  for (const [value, ms] of [[100, 100], ['30s', 30_000], ['24h', day]]) {
    t.equal(accepted({ ...target, expiry_notice: value }).expiryNotice, ms)
    t.match(accepted({ ...target, expires_in: '1m', expiry_notice: value }), {
      expires: { in: 60_000 }, expiryNotice: ms
    })
    t.same(parseControl({ expiry_notice: value }, limits), success({ expiryNotice: ms }))
  }
  for (const value of [0, 99, day + 1, '25h', '', NaN, true]) {
    t.match(problem({ ...target, expiry_notice: value }), /^expiry_notice: /)
    t.match(controlProblem({ expiry_notice: value }), /^expiry_notice: /)
  }
})

t.test('takes null in ws.control as no limit, no end and no notice', async (t) => {
  t.same(parseControl({ limit: null }, limits), success({ limit: null }))
  t.same(parseControl({ expires_at: null }, limits), success({ expires: 'never' }))
  t.same(parseControl({ expires_in: null }, limits), success({ expires: 'never' }))
  t.same(parseControl({ expiry_notice: null }, limits), success({ expiryNotice: 0 }))
  t.same(parseControl({}, limits), success({}))
})
