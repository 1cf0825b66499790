import { Duplex } from 'node:stream'
import t from 'tap'
import { normalizeOptions } from '../../lib/registration/options.js'
import { Runtime } from '../../lib/process/runtime.js'
import { parseConfig } from '../../lib/connection/config.js'
import { Connection } from '../../lib/connection/connection.js'
import { UpgradeServer } from '../../lib/registration/upgrade-server.js'
import { WebSocketTransport } from '../../lib/websocket/transport.js'
import { closeOf, textOf } from '../integration/connection/support.js'
import { until } from '../helpers.js'
import { recordingLogger } from '../process/helpers.js'
import type { Test } from 'tap'
import type { Actor } from '../../lib/process/actor/actor.js'
import type { Target } from '../../lib/process/entity.js'
import type { Logger } from '../../types/options.js'
import type { WsRelayOptions } from '../../types/relay.js'

/** Any stream will do as a socket: `injectWS` brings one that is none. */
class Pipe extends Duplex {
  readonly sent: Buffer[] = []
  override _read (): void {}
  override _write (chunk: Buffer, _encoding: string, done: () => void): void {
    this.sent.push(chunk)
    done()
  }
}

interface Mail { topic: string, payload: any }

const silent = {
  child () {
    return silent
  },
  error () {},
  warn () {},
  info () {},
  debug () {},
  trace () {},
  fatal () {},
  level: 'silent'
}

function build (t: Test, options: WsRelayOptions = {}, logger: Logger = silent as never) {
  const { server, route } = normalizeOptions(options)
  const runtime = new Runtime({ ...server, logger })
  const relay = new UpgradeServer(runtime, server)
  const mail: Mail[] = []
  const pid = runtime.spawner.spawn(async (self) => {
    for await (const { topic, payload } of self.inbox as AsyncIterable<Mail>) {
      mail.push({ topic, payload })
    }
  })
  const target = runtime.processTable.findEntity(pid) as Target
  const open = (
    early: Buffer[] = [],
    config: object = {}
  ): { connection: Connection, transport: WebSocketTransport, socket: Pipe } => {
    const socket = new Pipe()
    const transport = new WebSocketTransport({
      server: relay, socket, settings: route, deflate: undefined
    })
    const parsed = parseConfig({ target_pid: pid, ...config }, route)
    if (!parsed.ok) throw new Error(parsed.problem)
    const connection = new Connection({
      relay,
      settings: route,
      transport,
      target,
      config: parsed.value
    })
    connection.open()
    for (const bytes of early) transport.onSocketData(bytes)
    t.teardown(() => {
      socket.destroy()
    })
    return { connection, transport, socket }
  }
  return { runtime, relay, mail, pid, open }
}

t.test('joins its target, delivers messages, describes itself and leaves', async t => {
  const { runtime, relay, mail, pid, open } = build(t)
  const { connection, socket } = open([textOf('early'), textOf('bird')], { metadata: { a: 1 } })
  t.match(connection.describe(), {
    kind: 'ws',
    label: 'ws',
    status: 'waiting',
    monitors: [pid],
    target: pid,
    messages: 2,
    paused: false
  })
  socket.push(textOf('later'))
  await until(() => mail.length === 4)
  t.strictSame(
    mail.map(({ topic, payload }) => [topic, payload.data]),
    [
      ['ws.join', undefined],
      ['ws.message', 'early'],
      ['ws.message', 'bird'],
      ['ws.message', 'later']
    ]
  )
  socket.push(closeOf(4000, 'bye'))
  await until(() => mail.length === 5)
  t.match(mail[4], {
    topic: 'ws.leave',
    payload: { client_pid: connection.pid, cause: 'client', code: 4000, reason: 'bye' }
  })
  t.strictSame(
    Buffer.concat(socket.sent),
    Buffer.from([0x88, 5, 4000 >> 8, 4000 & 0xff, ...Buffer.from('bye')])
  )
  socket.push(null)
  await until(() => relay.connections.size === 0)
  t.equal(relay.deadlines.size, 0)
  t.equal(runtime.processTable.findEntity(connection.pid), undefined)
})

t.test('refuses messages while it ends', async t => {
  const { runtime, open } = build(t)
  const { connection, transport } = open()
  const { refused } = runtime.counters
  connection.end('boom')
  t.equal(connection.deliver('ws.send', { data: 'x' }, undefined), false)
  connection.missed(3)
  t.equal(runtime.counters.refused, refused + 1)
  connection.end('kill')
  transport.sendPing()
  connection.notify()
  t.equal(connection.cancel(), true)
})

t.test('releases a socket that is already closed at once', async t => {
  const { relay, mail, open } = build(t)
  const { connection, socket } = open()
  socket.destroy()
  t.equal(socket.closed, true)
  connection.end('boom')
  await until(() => mail.length === 2 && relay.connections.size === 0)
  t.match(mail[1], { topic: 'ws.leave', payload: { cause: 'exit', reason: 'boom' } })
  t.equal(relay.deadlines.size, 0)
})

t.test('ignores an exit of a process that is not its target', async t => {
  const { runtime, open } = build(t)
  const { connection } = open()
  connection.targetEnded({ pid: connection.pid, reason: 'boom' })
  t.equal(runtime.processTable.findEntity(connection.pid), connection)
})

t.test('counts accepted and refused messages', async t => {
  const { runtime, open } = build(t)
  const { connection } = open()
  const { sent, delivered, refused, deadLetters } = runtime.counters
  for (const [topic, payload] of [
    ['ws.send', { data: 'x' }],
    ['notice', 1],
    ['ws.control', {}],
    ['ws.send', 5],
    ['ws.unknown', 1],
    ['ws.close', undefined]
  ] as const) {
    connection.deliver(topic, payload, undefined)
  }
  t.strictSame(
    [
      runtime.counters.sent - sent,
      runtime.counters.delivered - delivered,
      runtime.counters.refused - refused,
      runtime.counters.deadLetters - deadLetters
    ],
    [5, 4, 1, 1]
  )
})

t.test('warns of misspelt topics, and of misspelt fields of ws.control', async t => {
  const { logger, lines } = recordingLogger()
  const { open } = build(t, {}, logger)
  const { connection } = open()
  const relayPid = connection.pid
  const send = (topic: string, payload: unknown): unknown[] => {
    connection.deliver(topic, payload, undefined)
    return lines.splice(0).map(({ args }) => args)
  }
  t.strictSame(send('ws.sendd', { data: 'x' }), [[
    { relayPid, topic: 'ws.sendd', expected: 'ws.send' },
    'dropped a message to a connection: it knows no such topic'
  ]])
  t.strictSame(send('ws.sendd', { data: 'x' }), [])
  t.strictSame(send('ws.control', { heartbeatInterval: 1000, metadata: { targetPid: 1 } }), [[
    { relayPid, field: 'heartbeatInterval', expected: 'heartbeat_interval' },
    'ignored an unknown field of ws.control'
  ]])
  t.strictSame(send('ws.control', { heartbeatInterval: 1000 }), [])
  const correct = { heartbeat_interval: 1000, message_topic: 'x', user: 'y', version: 2 }
  t.strictSame(send('ws.control', correct), [])
  t.strictSame(send('ws.send', { data: 'x' }), [])
  t.strictSame(send('wsx', 1), [])
})

t.test('leaves no trace in a target after a transfer or its end', async t => {
  const { runtime, relay, open } = build(t, { mailboxLimit: 4 })
  const { connection } = open(Array.from({ length: 20 }, (_, i) => textOf(`${i}`)))
  t.equal(connection.describe().paused, true)
  const old = runtime.processTable.findEntity(connection.describe().target as string) as Actor
  const next = runtime.processTable.findEntity(
    runtime.spawner.spawn(async (self) => {
      await self.receive({ topic: 'never' })
    })
  ) as Actor
  const forgotten: Actor[] = []
  for (const actor of [old, next]) {
    const forget = actor.unsubscribeFromDrain.bind(actor)
    actor.unsubscribeFromDrain = (feeder) => {
      forgotten.push(actor)
      forget(feeder)
    }
  }
  connection.deliver('ws.control', { target_pid: next.pid }, undefined)
  t.strictSame(forgotten, [old])
  t.equal(runtime.relations.size, 1)
  t.equal(connection.describe().paused, true)
  connection.end('boom')
  t.strictSame(forgotten, [old, next])
  t.equal(runtime.relations.size, 0)
  t.equal(relay.runtime.processTable.findEntity(connection.pid), undefined)
})
