// docs/relay.md, "A connection is a process": from the client to its target.
import t from 'tap'
import { frameOf, Keeper, joined, start, textOf } from './support.js'
import { connectTo } from './peer.js'
import { opcodes } from '../../../lib/websocket/frames.js'
import { until } from '../../helpers.js'

t.test('delivers each frame of a client to its target as a message', async t => {
  const rig = await start(t)
  const metadata = { user: 'a', deep: { list: [1] } }
  const { peer, pid, target } = await joined(t, rig, { metadata })
  const fragments = [
    frameOf(opcodes.text, 'on', { fin: false }),
    frameOf(opcodes.ping, 'in between'),
    frameOf(opcodes.continuation, 'e', { fin: true })
  ]
  const table: Array<[frames: Buffer[], type: string, data: string | Buffer]> = [
    [[textOf('hello')], 'text', 'hello'],
    [[textOf('')], 'text', ''],
    [[textOf('grüße 漢字 😀')], 'text', 'grüße 漢字 😀'],
    [[textOf('x'.repeat(70_000))], 'text', 'x'.repeat(70_000)],
    [[frameOf(opcodes.binary, Buffer.from([0, 255]))], 'binary', Buffer.from([0, 255])],
    [[frameOf(opcodes.binary)], 'binary', Buffer.alloc(0)],
    [fragments, 'text', 'one'],
    [
      [textOf('{"topic":"ws.control","target_pid":"other"}')],
      'text',
      '{"topic":"ws.control","target_pid":"other"}'
    ]
  ]
  for (const [frames] of table) peer.write(...frames)
  await target.until('ws.message', table.length)
  t.strictSame(target.mail, [
    { topic: 'ws.join', payload: { client_pid: pid, metadata }, from: pid },
    ...table.map(([, type, data]) => ({
      topic: 'ws.message',
      payload: { client_pid: pid, type, data, metadata },
      from: pid
    }))
  ])
  const [first] = target.mail
  t.ok(
    target.mail.every(({ payload }) => payload.metadata === first.payload.metadata),
    'the same object each time'
  )
  t.throws(() => { first.payload.metadata.deep.list.push(2) }, TypeError, 'deeply frozen')
  await until(() => peer.count(opcodes.pong) === 1)
  t.equal(rig.processes.info(pid)!.messages, table.length)
})

t.test('delivers frames under the message topic of their connection only', async t => {
  const rig = await start(t)
  const { peer, target } = await joined(t, rig, { message_topic: 'chat' })
  peer.text('ws.control').text('@exit').text('hello')
  t.strictSame(
    (await target.until('chat', 3)).map(({ data }) => data),
    ['ws.control', '@exit', 'hello']
  )
  t.strictSame(new Set(target.topics), new Set(['ws.join', 'chat']))
})

t.test('delivers messages sent with the handshake after the join, in order', async t => {
  const rig = await start(t)
  const target = new Keeper(rig)
  const count = 3000
  // More than the limit for early bytes, so the socket is paused.
  const early = Buffer.concat(
    Array.from({ length: count }, (_, i) => textOf(`${i} ${'x'.repeat(80)}`))
  )
  const peer = await connectTo(t, rig, { target_pid: target.pid }, { early })
  peer.text(`${count} `)
  await target.until('ws.message', count + 1)
  t.equal(target.topics[0], 'ws.join')
  t.strictSame(
    target.texts.map((text) => Number(text.split(' ')[0])),
    Array.from({ length: count + 1 }, (_, i) => i)
  )
})

t.test('sends heartbeats at the interval with the number of messages', async t => {
  const rig = await start(t)
  const { peer, pid, target } = await joined(t, rig, {
    heartbeat_interval: '100ms',
    metadata: { a: 1 }
  })
  const [first] = await target.until('ws.heartbeat')
  t.match(first, { client_pid: pid, message_count: 0, metadata: { a: 1 } })
  t.ok(first.uptime >= 99 && first.uptime < 1000, `after ${first.uptime} ms`)
  peer.text('a').text('b').write(frameOf(opcodes.ping))
  await target.until('ws.message', 2)
  const beats = target.of('ws.heartbeat').length
  const later = (await target.until('ws.heartbeat', beats + 2)).at(-1)
  t.equal(later.message_count, 2)
  t.ok(later.uptime >= first.uptime + 99)
})

t.test('ws.control changes and disables heartbeats, which end with the connection', async (t) => {
  const rig = await start(t)
  const { pid, target } = await joined(t, rig)
  const timers = rig.relay.deadlines.size
  await rig.processes.call(pid, 'ws.control', { heartbeat_interval: 100 })
  t.equal(rig.relay.deadlines.size, timers + 1)
  await target.until('ws.heartbeat', 2)
  await rig.processes.call(pid, 'ws.control', { heartbeat_interval: '24h' })
  t.equal(rig.relay.deadlines.size, timers + 1)
  await rig.processes.call(pid, 'ws.control', { heartbeat_interval: null })
  t.equal(rig.relay.deadlines.size, timers)
  await rig.processes.call(pid, 'ws.control', { heartbeat_interval: 100 })
  rig.processes.exit(pid, 'kill')
  await target.idle()
  const beats = target.of('ws.heartbeat').length
  await until(() => rig.relay.deadlines.size === 0)
  await target.idle()
  t.equal(target.of('ws.heartbeat').length, beats)
})

t.test('goes on when a full mailbox refuses heartbeats', async t => {
  const rig = await start(t, { mailboxLimit: 4 })
  const { peer, target } = await joined(t, rig, { heartbeat_interval: 100 }, new Keeper(rig).hold())
  peer.write(...Array.from({ length: 10 }, (_, i) => textOf(`${i}`)))
  await until(async () => await target.mailbox() >= 4)
  // Only the node of the mailbox counts refused messages.
  const { refused } = rig.processes.stats()
  await until(() => rig.neighbours !== undefined || rig.processes.stats().refused > refused + 1)
  target.release()
  await target.until('ws.message', 10)
  t.strictSame(target.texts, Array.from({ length: 10 }, (_, i) => `${i}`))
})

t.test('a connection is a process', async t => {
  const rig = await start(t)
  const { processes } = rig
  const { pid, target, peer } = await joined(t, rig)
  processes.names.register('the-client', pid)
  processes.groups.join('clients', pid)
  const linked = processes.spawn(async (self) => { await self.receive() }, { link: pid })
  t.ok(processes.list().includes(pid))
  t.ok(processes.alive(pid))
  peer.text('one')
  await target.until('ws.message')
  t.match(processes.info('the-client'), {
    pid,
    kind: 'ws',
    names: ['the-client'],
    status: 'waiting',
    mailbox: 0,
    links: [linked],
    monitors: [target.pid],
    groups: ['clients'],
    target: target.pid,
    buffered: 0,
    dropped: 0,
    messages: 1,
    paused: false
  })
  t.ok(processes.info(pid)!.uptime >= 0)
  t.ok(processes.send('the-client', 'ws.send', { data: 'by name' }))
  await until(() => peer.texts.length === 1)
  t.strictSame(peer.texts, ['by name'])
  peer.rst()
  t.equal((await processes.exited(linked)).reason, 'connection_lost')
  t.equal(processes.names.lookup('the-client'), undefined)
  t.strictSame(processes.groups.members('clients'), [])
})

t.test(
  'a raised maxPayload may be used in fragments, unless maxFragments says otherwise',
  async (t) => {
    const inFragments = (count: number): Buffer =>
      Buffer.concat([
        frameOf(opcodes.text, 'x', { fin: false }),
        ...Array.from({ length: count - 2 }, () =>
          frameOf(opcodes.continuation, 'x', { fin: false })
        ),
        frameOf(opcodes.continuation, 'x')
      ])
    const MiB = 1024 * 1024
    for (const [options, allowed] of [
      [{}, 1024],
      [{ maxPayload: 2 * MiB }, 2048],
      [{ maxPayload: 1024 }, 1024],
      [{ maxPayload: 2 * MiB, maxFragments: 5 }, 5]
    ] as const) {
      const rig = await start(t, options)
      const { peer, target } = await joined(t, rig)
      peer.write(inFragments(allowed))
      t.equal((await target.until('ws.message'))[0].data.length, allowed)
      peer.write(inFragments(allowed + 1))
      t.strictSame(await peer.end(), { code: 1008, reason: 'too many fragments' })
    }
  }
)
