// The fields `message_topic` and `heartbeat_interval`.
import t from 'tap'
import { success } from '../../../lib/shared/result.js'
import { parseControl } from '../../../lib/connection/config.js'
import { accepted, controlProblem, day, limits, pid, problem } from './config-support.js'

t.test('accepts a message_topic of 1 to 128 characters that is not reserved', async (t) => {
  for (const topic of [
    'a',
    'chat',
    'ws.message',
    'ws',
    'wsx',
    'ws:join',
    'WS.join',
    'a@b',
    'x.ws.join',
    'é'.repeat(128),
    'a\nb'
  ]) {
    t.equal(accepted({ target_pid: pid, message_topic: topic }).topic, topic)
    t.same(parseControl({ message_topic: topic }, limits), success({ topic }))
  }
  const refused = [
    '',
    'x'.repeat(129),
    '@',
    '@exit',
    '@anything',
    'ws.',
    'ws.join',
    'ws.leave',
    'ws.heartbeat',
    'ws.send',
    'ws.close',
    'ws.control',
    'ws.other',
    'ws.messages',
    'ws.message.x',
    'ws.message\n',
    'ws.message ',
    7,
    NaN,
    true,
    {},
    ['chat'],
    Symbol('chat'),
    () => 'chat'
  ]
  const expected =
    /^message_topic: expected 1 to 128 characters, not beginning with '@', and no 'ws\.' topic other than 'ws\.message', got /
  for (const topic of refused) {
    t.match(problem({ target_pid: pid, message_topic: topic }), expected)
    t.match(controlProblem({ message_topic: topic }), expected)
  }
  t.match(problem({ target_pid: pid, message_topic: null }), expected)
})

t.test('accepts a heartbeat_interval from 100 ms to 24 h', async (t) => {
  const durations: Array<[value: number | string, ms: number]> = [
    [100, 100],
    [30_000, 30_000],
    [day, day],
    [1500.4, 1500],
    ['100ms', 100],
    ['500ms', 500],
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['0.1s', 100],
    ['24h', day],
    ['1440m', day],
    ['1.1s', 1100]
  ]
  for (const [value, ms] of durations) {
    t.equal(accepted({ target_pid: pid, heartbeat_interval: value }).heartbeat, ms)
    t.equal(accepted(JSON.stringify({ target_pid: pid, heartbeat_interval: value })).heartbeat, ms)
    t.same(parseControl({ heartbeat_interval: value }, limits), success({ heartbeat: ms }))
  }
  const refused = [
    0,
    -0,
    1,
    99,
    99.9,
    -1,
    -30_000,
    day + 1,
    2 ** 31,
    Number.MAX_VALUE,
    NaN,
    Infinity,
    -Infinity,
    '',
    ' ',
    '0',
    '0s',
    '0ms',
    '1ms',
    '99ms',
    '-1s',
    '+1s',
    '24h1ms',
    '25h',
    '1440.1m',
    '1d',
    '1w',
    '30',
    '30000',
    '30 s',
    ' 30s',
    '30s ',
    '30S',
    '1e3ms',
    '.5s',
    '5.s',
    '1,5s',
    's',
    'soon',
    'NaN',
    'Infinity',
    'null',
    '1s'.repeat(33),
    '9'.repeat(400) + 's',
    true,
    false,
    [],
    ['30s'],
    [1000],
    {},
    { s: 30 },
    30n,
    new Date(),
    Symbol('30s'),
    () => 1000
  ]
  for (const value of refused) {
    const expected =
      typeof value === 'bigint' ? /^it cannot be read as JSON/ : /^heartbeat_interval: /
    t.match(problem({ target_pid: pid, heartbeat_interval: value }), expected)
    t.match(controlProblem({ heartbeat_interval: value }), expected)
  }
  t.match(
    problem({ target_pid: pid, heartbeat_interval: null }),
    /^heartbeat_interval: .*got null$/
  )
  t.equal(
    problem({ target_pid: pid, heartbeat_interval: '99ms' }),
    "heartbeat_interval: Invalid duration '99ms': expected 100 to 86400000 ms"
  )
})
