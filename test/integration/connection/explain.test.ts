// `processes.explain` of connections, over real sockets.
import t from 'tap'
import { frameOf } from '../../client-frames.js'
import { build, handshake, listen, raw, until } from '../../helpers.js'
import { joined, start } from './support.js'
import type { FastifyInstance } from 'fastify'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'
import type { TraceEvent } from '../../../types/trace.js'

/** The text without incarnations, lines and times. */
function textOf (app: FastifyInstance, pid: Pid): string {
  return app.processes.explain(pid)!.text
    .replaceAll(/@local\.\w+/g, '')
    .replaceAll(/\.ts:\d+/g, '.ts:0')
    .replaceAll(/\d+(\.\d)? (ms|s)\b/g, '0 ms')
}

t.test('knows why a room with a thousand sockets crashed, from each of them', async (t) => {
  const app = await build(t, {})
  const clients: Pid[] = []
  const rooms = app.processes.supervise({
    name: 'rooms',
    children: [{
      id: 'one',
      name: 'room:1',
      start: function room (self: Process<{ crash: undefined }>) {
        return self.serve({
          'ws.join': ({ client_pid }) => { clients.push(client_pid) },
          crash: () => { throw new TypeError('x is not a function') }
        })
      }
    }]
  })
  app.get('/', (request, reply) => { reply.relay('room:1').send() })
  const port = await listen(app)
  const count = 1000
  const sockets = await Promise.all(Array.from({ length: count }, () => raw(t, port)))
  for (const socket of sockets) socket.write(handshake('/'))
  await until(() => clients.length === count)
  const pid = rooms.children()[0].pid!
  app.processes.send(pid, 'crash')
  await Promise.all(sockets.map((socket) => socket.until(/target process exited/)))
  await until(() => rooms.children()[0].restarts === 1)

  const restartedAs = rooms.children()[0].pid
  t.match(app.processes.explain(pid), { state: 'ended', together: count, restartedAs })
  for (const client of clients.filter((_, i) => i % 37 === 0)) {
    const { chain, together, state } = app.processes.explain(client)!
    t.match({ chain, together, state }, {
      state: 'ended',
      together: count,
      chain: [
        { pid: client, kind: 'ws', cause: 'target', code: 1011, target: pid, because: pid },
        { pid, cause: 'failed', error: { name: 'TypeError', message: 'x is not a function' } }
      ]
    })
  }
  t.equal(textOf(app, clients[500]).replace(/as \d+/, 'as N').replace(/^connection \d+/, 'connection N'),
    'connection N was closed with 1011 `target process exited` 0 ms ago, because process ' +
    '`room:1` (2) failed: TypeError: x is not a function (explain.test.ts:0); process `room:1` ' +
    '(2) was restarted as N after 0 ms; 1000 connections ended with it')
})

t.test('tells of a slow client, a client that left, and a lost socket', async (t) => {
  const rig = await start(t, { maxBufferedAmount: 1000 })
  const slow = await joined(t, rig)
  const left = await joined(t, rig)
  const lost = await joined(t, rig)
  slow.peer.socket.pause()
  await until(() => !rig.processes.send(slow.pid, 'ws.send', { data: Buffer.alloc(1_000_000) }))
  left.peer.close(4001, 'I am a client\n and write what I want')
  lost.peer.rst()
  await until(() => [slow, left, lost].every(({ pid }) => !rig.processes.alive(pid)))
  t.match(rig.processes.explain(slow.pid), {
    chain: [{ cause: 'slow', code: 1013, reason: 'slow_client', target: slow.target.pid }]
  })
  t.match(textOf(rig.app, slow.pid),
    /was closed with 1013 `client too slow` 0 ms ago because its client read too slowly$/)
  const explained = rig.processes.explain(left.pid)!
  t.match(explained.chain, [{ cause: 'client', code: 4001, reason: 'normal' }])
  t.match(textOf(rig.app, left.pid), /was closed by its client with 4001 0 ms ago$/)
  t.notMatch(JSON.stringify(explained), /write what/, 'no text of the client')
  t.match(textOf(rig.app, lost.pid), /^connection \d+ lost its socket 0 ms ago$/)
})

t.test('tells of sockets that a process has closed, killed, or ended', async (t) => {
  const rig = await start(t)
  const members = [await joined(t, rig), await joined(t, rig), await joined(t, rig)]
  const [closed, killed, ended] = members.map(({ pid }) => pid)
  const outside = await joined(t, rig)
  const cancelled = await joined(t, rig)
  const by = rig.processes.spawn((self) => {
    self.send(closed, 'ws.close', { code: 4000, reason: 'bye' })
    self.exit(killed, 'kill')
    self.exit(ended, 'moved')
    self.cancel(cancelled.pid)
  })
  rig.processes.exit(outside.pid)
  const pids = [closed, killed, ended, outside.pid, cancelled.pid]
  await until(() => pids.every((pid) => !rig.processes.alive(pid)))
  t.match(rig.processes.explain(closed)!.chain, [{ cause: 'process', by, closeReason: 'bye' }])
  const [serial] = by.split('@')
  const text = pids.map((pid) => textOf(rig.app, pid).replace(/^connection \d+ /, ''))
  t.strictSame(text, [
    `was closed with 4000 \`bye\` by ${serial} 0 ms ago`,
    `was killed by ${serial} 0 ms ago`,
    `was closed with 1011 \`closed by server\`, with the reason \`moved\` by ${serial} 0 ms ago`,
    'was closed with 1001 `server shutting down` 0 ms ago',
    `was closed with 1001 \`server shutting down\` by ${serial} 0 ms ago`
  ])
})

t.test('follows a link from a socket to the process that failed', async (t) => {
  const rig = await start(t)
  const { pid } = await joined(t, rig)
  const failed = rig.processes.spawn((self) => {
    self.link(pid)
    throw new Error('no')
  })
  await until(() => !rig.processes.alive(pid))
  t.match(rig.processes.explain(pid), {
    chain: [{ cause: 'exit', reason: 'error', because: failed }, { pid: failed, cause: 'failed' }]
  })
})

t.test('tells of a message that is too long, and of a deploy', async (t) => {
  const rig = await start(t, { maxPayload: 10 })
  const broken = await joined(t, rig)
  broken.peer.text('more than ten bytes')
  await broken.peer.end()
  t.match(rig.processes.explain(broken.pid)!.chain, [{ cause: 'protocol', code: 1009 }])
  t.match(textOf(rig.app, broken.pid),
    / was closed with 1009 `.+` 0 ms ago because its client broke the protocol or a limit$/)
  const peers = [await joined(t, rig), await joined(t, rig, {}, broken.target)]
  await rig.app.close()
  for (const { pid } of peers) {
    t.match(rig.processes.explain(pid)!.chain, [{ cause: 'shutdown', code: 1001, closing: true }])
    t.match(textOf(rig.app, pid),
      / with 1001 `server shutting down` 0 ms ago while its node was closing$/)
  }
})

t.test('tells that a drain has closed a socket', async (t) => {
  const rig = await start(t)
  const { pid, peer } = await joined(t, rig)
  const drained = rig.processes.drain({ delay: 0, over: 1 })
  await peer.end()
  await drained
  t.match(rig.processes.explain(pid)!.chain, [{ cause: 'shutdown', code: 1001, closing: true }])
  t.match(textOf(rig.app, pid), / `server shutting down` 0 ms ago while its node was closing$/)
})

t.test('remembers no connection when `keepEnds` is 0', async (t) => {
  const rig = await start(t, { keepEnds: 0 })
  const { pid, peer } = await joined(t, rig)
  rig.processes.exit(pid)
  await peer.end()
  t.match(rig.processes.explain(pid), { state: 'forgotten' })
})

t.test('does not blame a target from which the socket was taken away', async (t) => {
  const rig = await start(t)
  const { pid, target, peer } = await joined(t, rig)
  const next = (await joined(t, rig)).target
  await rig.processes.call(pid, 'ws.control', { target_pid: next.pid })
  rig.processes.exit(target.pid, 'boom')
  rig.processes.exit(next.pid)
  await peer.end()
  t.match(rig.processes.explain(pid)!.chain, [
    { cause: 'target', code: 1000, because: next.pid, target: next.pid }, { pid: next.pid }
  ])
})

t.test('a trace shows the messages of a client, and those to it', async (t) => {
  const rig = await start(t)
  const { pid, peer, target } = await joined(t, rig)
  const events: TraceEvent[] = []
  rig.processes.trace(pid, { payloads: true }, (event) => { events.push(event) })
  peer.text('hello')
  peer.write(frameOf(2, Buffer.from([1, 2])))
  await target.until('ws.message', 2)
  rig.processes.send(pid, 'ws.send', { data: 'welcome' })
  rig.processes.send(pid, 'ws.unknown' as 'ws.close')
  rig.processes.exit(pid)
  t.match(events, [
    { type: 'client', pid, bytes: 5, binary: false, payload: Buffer.from('hello') },
    { type: 'client', pid, bytes: 2, binary: true, payload: Buffer.from([1, 2]) },
    { type: 'received', topic: 'ws.send', payload: { data: 'welcome' }, mailbox: 0 },
    { type: 'refused', topic: 'ws.unknown' },
    { type: 'ended', reason: 'shutdown' }
  ])
  t.equal(events.length, 5)
})
