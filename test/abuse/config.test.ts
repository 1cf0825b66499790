// Values of X-WS-Relay that a handler may have built from a client's input. Over a real socket, a
// value that is not valid gets a 500, and leaves no connection and no timer.
import t from 'tap'
import { Keeper, start } from '../integration/connection/support.js'
import { connectTo } from '../integration/connection/peer.js'
import { answer, handshake, logs, until } from '../helpers.js'
import { held, letsGo } from './support.js'
import type { RelayConfig } from '../../types/relay.js'

const deep = (levels: number): object => levels === 1 ? { end: true } : { more: deep(levels - 1) }

/** Fields besides `target_pid`, or the whole value. */
const refused: Array<[what: string, config: unknown]> = [
  ...[
    0,
    -0,
    -1,
    1,
    99,
    99.9,
    86_400_001,
    2 ** 31,
    2 ** 53,
    1e308,
    '',
    ' ',
    '0',
    '0s',
    '0ms',
    '99ms',
    '-1s',
    '-0.5h',
    '+1s',
    '30',
    '1000',
    '25h',
    '24h1ms',
    '1d',
    '1w',
    '1y',
    '1e3s',
    '0x10s',
    '1_000ms',
    '٣s',
    '1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s',
    '9'.repeat(300) + 's',
    '30S',
    '30 s',
    ' 30s',
    '30s\n',
    '.5s',
    '5.s',
    '1,5s',
    'Infinity',
    'NaN',
    'null',
    'undefined',
    'soon',
    '30s; DROP TABLE',
    true,
    false,
    null,
    [],
    ['30s'],
    {},
    { valueOf: 1000 }
  ].map((heartbeat_interval): [string, unknown] => [
    `heartbeat_interval ${JSON.stringify(heartbeat_interval).slice(0, 40)}`,
    { heartbeat_interval }
  ]),
  ['5 kB of metadata, in a value of less than 8 KiB', { metadata: { x: 'x'.repeat(5000) } }],
  ['100 kB of metadata', { metadata: { x: 'x'.repeat(100_000) } }],
  [
    '100 kB of metadata in little pieces',
    { metadata: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, i])) }
  ],
  ['a name of 100 kB', { metadata: { ['x'.repeat(100_000)]: 1 } }],
  ['4 KiB of letters that are 12 KiB of bytes', { metadata: { x: '漢'.repeat(4000) } }],
  ['9 levels of metadata', { metadata: deep(9) }],
  ['1 000 levels of metadata', { metadata: deep(1000) }],
  ['metadata that is a list', { metadata: [1] }],
  ['metadata that is a text', { metadata: 'x' }],
  ['metadata that is null', { metadata: null }],
  ['a field that nobody knows, of 100 kB', { other: 'x'.repeat(100_000) }],
  ['a topic of 129 characters', { message_topic: 'x'.repeat(129) }],
  ...[
    '',
    '@exit',
    '@cancel',
    '@',
    'ws.join',
    'ws.leave',
    'ws.control',
    'ws.send',
    'ws.close',
    'ws.',
    'ws.anything'
  ].map((message_topic): [string, unknown] => [`the topic '${message_topic}'`, { message_topic }]),
  ['a topic that is no text', { message_topic: 5 }],
  ['a target that is no text', { target_pid: 5 }],
  ['a target that is a list', { target_pid: ['target'] }],
  ['an empty target', { target_pid: '' }],
  ['a target of 323 characters', { target_pid: 'x'.repeat(323) }]
]

t.test('opens no socket for an invalid header', async (t) => {
  const { logger, lines } = logs('error')
  const rig = await start(t, {}, { logger }, (app) => {
    refused.forEach(([, config], i) => {
      app.get(`/object/${i}`, (_, reply) => {
        reply
          .relay('target', config as RelayConfig)
          .header('x-ws-relay', { target_pid: 'target', ...(config as object) })
          .send()
      })
      app.get(`/json/${i}`, (_, reply) => {
        reply
          .header('x-ws-relay', JSON.stringify({ target_pid: 'target', ...(config as object) }))
          .send()
      })
    })
  })
  const target = new Keeper(rig)
  rig.processes.names.register('target', target.pid)
  const before = held(rig)
  for (const [i, [what]] of refused.entries()) {
    for (const form of ['object', 'json']) {
      const logged = lines.length
      const text = await answer(t, rig.port, handshake(`/${form}/${i}`))
      t.match(text, /^HTTP\/1\.1 500 [^]*FST_WS_RELAY_INVALID_CONFIG/, `${what}, as ${form}`)
      t.ok(text.length < 500, 'the response does not describe the problem')
      const problem = lines
        .slice(logged)
        .map(({ msg }) => String(msg))
        .find((msg) => msg.startsWith('invalid X-WS-Relay header: '))
      if (problem === undefined || problem.length > 300) {
        t.fail(`${what}: the log says ${String(problem).slice(0, 400)}`)
      }
    }
  }
  t.equal(rig.processes.stats().spawned, 1, 'no connection was made')
  await letsGo(rig, before)
  t.comment(`${2 * refused.length} cases`)
})

t.test('does not change a connection by an invalid ws.control', async (t) => {
  const rig = await start(t, {}, { logger: logs('fatal').logger })
  const target = new Keeper(rig)
  const peer = await connectTo(t, rig, {
    target_pid: target.pid,
    message_topic: 'mine',
    metadata: { a: 1 }
  })
  const [{ client_pid: pid }] = await target.until('ws.join')
  const before = held(rig)
  for (const [what, config] of refused) {
    // A null field is reset, and a small unknown field is ignored.
    if (Object.values(config as object).includes(null)) continue
    await t.rejects(
      rig.processes.call(pid, 'ws.control', config as never),
      { code: 'FST_WS_RELAY_INVALID_PAYLOAD' },
      what
    )
    t.equal(
      rig.processes.send(pid, 'ws.control', { ...(config as object), metadata: 'x' } as never),
      false
    )
  }
  t.strictSame(held(rig), before, 'no timer and no process was added')
  peer.text('hello')
  await until(() => target.mail.length === 2)
  t.match(target.mail[1], { topic: 'mine', payload: { data: 'hello', metadata: { a: 1 } } })
})

t.test('removes metadata keys that could pollute a prototype', async (t) => {
  const hostile =
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"kept":{"__proto__":{"polluted":1},"toString":"mine","hasOwnProperty":1}}'
  const rig = await start(t)
  const target = new Keeper(rig)
  for (const value of [
    `{"target_pid":"${target.pid}","metadata":${hostile}}`,
    `{"__proto__":{"target_pid":"nobody","metadata":{"polluted":1}},"constructor":{"prototype":{"polluted":1}},"target_pid":"${target.pid}","metadata":${hostile}}`
  ]) {
    target.mail.length = 0
    const peer = await connectTo(t, rig, `/?relay=${encodeURIComponent(value)}`)
    peer.text('hello').close(1000)
    await target.until('ws.leave')
    for (const { payload } of target.mail.slice(0, 3)) {
      t.equal(JSON.stringify(payload.metadata), '{"kept":{"toString":"mine","hasOwnProperty":1}}')
      // An application may merge it into an object: that sets no prototype.
      const merged = Object.assign({}, payload.metadata, payload.metadata.kept)
      t.equal(Object.getPrototypeOf(merged), Object.prototype)
      t.equal(merged.polluted, undefined)
    }
    await peer.end()
  }
  for (const fresh of [{}, [], () => {}, new (class {})()]) {
    t.equal((fresh as { polluted?: unknown }).polluted, undefined)
  }
})

t.test('accepts values at the limits', async (t) => {
  const rig = await start(t)
  const target = new Keeper(rig)
  const before = held(rig)
  const configs: Array<Partial<RelayConfig>> = [
    { heartbeat_interval: 100 },
    { heartbeat_interval: '24h' },
    { heartbeat_interval: '1m30s' },
    { heartbeat_interval: '0.1s' },
    { metadata: { x: 'x'.repeat(4096 - 8) } },
    { metadata: deep(8) as RelayConfig['metadata'] },
    { metadata: {} },
    { message_topic: 'x'.repeat(128) },
    { message_topic: 'ws.message' },
    { message_topic: 'constructor' },
    { message_topic: '__proto__' }
  ]
  for (const config of configs) {
    target.mail.length = 0
    const peer = await connectTo(t, rig, { target_pid: target.pid, ...config })
    peer.text('hello').close(1000)
    await target.until('ws.leave')
    t.equal(
      target.mail.find(({ payload }) => payload.data === 'hello')?.topic,
      config.message_topic ?? 'ws.message'
    )
    t.strictSame(target.of('ws.join')[0].metadata, config.metadata ?? {})
    await peer.end()
    peer.socket.destroy()
    await letsGo(rig, before)
  }
})
