import t from 'tap'
import { closeCodes } from '../../lib/connection/close-codes.js'
import { closedByClient, closedByProcess } from '../../lib/connection/close-reasons.js'
import { binaryFrame } from '../../lib/websocket/frames.js'
import { FakeServer, FakeTransport } from './fake-transport.js'
import type { Test } from 'tap'

/** Resumes, and fails the test if that is refused. */
function resumed (t: Test, server: FakeServer, token: string, received: number): FakeTransport {
  const socket = server.resume(token, received)
  if (typeof socket === 'string') t.fail(`refused: ${socket}`)
  return socket as FakeTransport
}

t.test('begins with a hello', async (t) => {
  const server = new FakeServer()
  const { socket, session, token } = server.start()
  t.match(token, /^web-1\.k3x\.1\.[\w-]{22}$/)
  t.same(socket.takeLog(), [])
  t.equal(session.kind, 'ws')
  t.equal(session.away, undefined)
  t.equal(session.encoder, socket.encoder)
})

t.test('has no token in its hello where it cannot be resumed', async (t) => {
  const server = new FakeServer()
  const { socket, connection, token } = server.start({ window: 0 })
  t.equal(token, undefined)
  connection.send('a')
  socket.text('\u0000a1')
  socket.text('b')
  socket.lose(closeCodes.lost)
  t.same(connection.takeLog(), ['b', 'ended: lost', 'transport closed'])
  t.same(socket.takeLog(), ['a', '(closed: lost)'])
})

t.test('hands on messages, without controls and escapes', async (t) => {
  const server = new FakeServer()
  const { socket, connection } = server.start()
  for (const text of ['a', '', '\u0000\u0000b', '\u0000p', '\u0000a0', '\u0000?', '\u0000']) {
    t.ok(socket.text(text))
  }
  socket.events.onMessage(Buffer.from([0, 1]), 2)
  t.same(connection.takeLog(), ['a', '', '\u0000b', '0001'])
  t.equal(server.sessions.unknownControls, 2)
  t.same(socket.takeLog(), ['\u0000a3'])
})

t.test('escapes texts that begin with U+0000', async (t) => {
  const { socket, connection, session } = new FakeServer().start()
  connection.send('\u0000x')
  session.writer.sendEncoded(binaryFrame('\u0000x'))
  t.same(socket.takeLog(), ['\u0000\u0000x', '\u0000x'])
})

t.test('resumes with every message once, in both directions', async (t) => {
  const server = new FakeServer()
  const { socket, connection, session, token } = server.start()
  socket.text('a')
  for (const text of ['1', '2', '3']) connection.send(text)
  socket.text('\u0000a1')
  socket.lose(closeCodes.lost)
  t.equal(session.away, 0)
  connection.send('4')
  server.deadlines.advance(500)
  const second = resumed(t, server, token, 2)
  const hello = second.takeHello()
  t.match(hello, { v: 1, from: 3, received: 1, resumed: true, window: 60_000, protocol: 'chat' })
  t.not(hello.token, token)
  t.same(second.takeLog(), ['3', '4'])
  second.text('b')
  connection.send('5')
  t.same(second.takeLog(), ['5'])
  t.same(connection.takeLog(), ['a', 'suspended: lost', 'resumed after 500', 'b'])
  t.same(socket.takeLog(), ['1', '2', '3', '(closed: lost)'])
  t.equal(server.deadlines.size, 0)
})

t.test('resumes without any message', async (t) => {
  const server = new FakeServer()
  const first = server.start()
  first.socket.text('\u0000a0')
  first.socket.lose(closeCodes.pingTimeout)
  const socket = resumed(t, server, first.token, 0)
  t.match(socket.takeHello(), { from: 1, received: 0, resumed: true })
  t.same(socket.takeLog(), [])
  t.same(first.connection.takeLog(), ['suspended: ping_timeout', 'resumed after 0'])
})

t.test('resumes a hundred times in a row', async (t) => {
  const server = new FakeServer()
  let { socket, connection, token } = server.start()
  for (let i = 0; i < 100; i++) {
    socket.text(String(i))
    connection.send(String(i))
    server.deadlines.advance(50_000)
    socket.lose(closeCodes.lost)
    socket = resumed(t, server, token, i)
    ;({ token } = socket.takeHello() as { token: string })
    t.same(socket.takeLog(), [String(i)])
  }
  t.equal(connection.takeLog().filter((line) => !line.includes(' ')).length, 100)
})

t.test('is quiet about its suspension unless the target wants to know', async (t) => {
  const server = new FakeServer()
  const { socket, connection, token } = server.start({ notify: false })
  socket.text('a')
  socket.lose(closeCodes.lost)
  resumed(t, server, token, 0)
  t.same(connection.takeLog(), ['a'])
})

t.test('ends with its first socket when the client has sent nothing', async (t) => {
  const { socket, connection } = new FakeServer().start()
  socket.lose(closeCodes.lost)
  t.same(connection.takeLog(), ['ended: lost', 'transport closed'])
})

t.test('ends with its window, with the first cause', async (t) => {
  const server = new FakeServer()
  const { socket, connection, token } = server.start()
  socket.text('a')
  socket.lose(closeCodes.pingTimeout)
  server.deadlines.advance(59_999)
  t.same(connection.takeLog(), ['a', 'suspended: ping_timeout'])
  server.deadlines.advance(1)
  t.same(connection.takeLog(), ['ended: ping_timeout after 60000', 'transport closed'])
  t.equal(server.resume(token, 0), 'expired')
  t.equal(server.deadlines.size, 0)
})

t.test('does not prolong the window by resumes without a message', async (t) => {
  const server = new FakeServer()
  const { socket, connection, token } = server.start()
  socket.text('a')
  socket.lose(closeCodes.lost)
  server.deadlines.advance(30_000)
  resumed(t, server, token, 0).lose(closeCodes.pingTimeout)
  server.deadlines.advance(20_000)
  // The hello may be lost: the token before it is still valid.
  const third = resumed(t, server, token, 0)
  server.deadlines.advance(10_000)
  t.match(third.takeLog().at(-1), '(closed: lost)')
  t.match(connection.takeLog().slice(-2), ['ended: lost', 'transport closed'])
})

t.test('stops the window with the first message, which may be a control', async (t) => {
  const server = new FakeServer()
  const { socket, connection, token } = server.start()
  socket.text('a')
  socket.lose(closeCodes.lost)
  resumed(t, server, token, 0).text('\u0000a0')
  server.deadlines.advance(24 * 3600 * 1000)
  t.match(connection.takeLog().at(-1), 'resumed')
  t.equal(server.resume(token, 0), 'refused', 'the first token is retired')
})

t.test('accepts a token of a hello that was never used', async (t) => {
  const server = new FakeServer()
  const { socket, token } = server.start()
  socket.text('a')
  socket.lose(closeCodes.lost)
  const second = resumed(t, server, token, 0)
  const { token: next } = second.takeHello()
  second.lose(closeCodes.lost)
  const { token: afterNext } = resumed(t, server, next, 0).takeHello()
  t.equal(server.resume(token, 0), 'refused')
  t.not(afterNext, next)
  resumed(t, server, next, 0)
})

t.test('takes over from a socket that is still open', async (t) => {
  const server = new FakeServer()
  const { socket, connection, token } = server.start()
  socket.text('a')
  connection.send('1')
  const second = resumed(t, server, token, 0)
  t.match(second.takeHello(), { from: 1, received: 1, resumed: true })
  connection.send('2')
  t.same(second.takeLog(), ['1', '2'])
  t.same(socket.takeLog(), ['1', '(closed: lost)'])
  t.same(connection.takeLog(), ['a'], 'the target notices nothing')
  second.lose(closeCodes.lost)
  t.same(connection.takeLog(), ['suspended: lost'])
})

t.test('takes over from a first socket whose client has sent nothing', async (t) => {
  const server = new FakeServer()
  const { connection, token } = server.start()
  const second = resumed(t, server, token, 0)
  second.lose(closeCodes.lost)
  t.same(connection.takeLog(), ['suspended: lost'])
})

t.test('replays after what was acknowledged when an offer is out of date', async (t) => {
  const server = new FakeServer()
  const { socket, connection, token } = server.start()
  for (const text of ['1', '2', '3']) connection.send(text)
  socket.text('\u0000a2')
  const second = resumed(t, server, token, 0)
  t.match(second.takeHello(), { from: 3 })
  t.same(second.takeLog(), ['3'])
})

t.test('ends for a gap', async (t) => {
  const server = new FakeServer()
  const open = server.start()
  open.socket.text('a')
  t.equal(server.resume(open.token, 1), 'gap', 'more than was sent')
  t.same(open.connection.takeLog(), ['a', 'ended: lost', 'transport closed'])
  t.equal(open.session.isAlive, false)
  const away = server.start()
  away.socket.text('a')
  for (let i = 0; i < 11; i++) away.connection.send(String(i))
  away.socket.lose(closeCodes.pingTimeout)
  t.equal(server.resume(away.token, 0), 'gap', 'the first of eleven messages was evicted')
  t.match(away.connection.takeLog().at(-2), 'ended: ping_timeout')
})

t.test('ends when the client closes or a process closes it', async (t) => {
  const server = new FakeServer()
  const { socket, connection, session } = server.start()
  socket.text('a')
  socket.lose(closedByClient(1000, 'bye'))
  t.same(connection.takeLog(), ['a', 'ended: client', 'transport closed'])
  t.equal(session.isAlive, false)
  t.equal(server.sessions.tombstoneCount, 0)
  const other = server.start()
  other.connection.end(closedByProcess(4000, 'no'))
  t.same(other.socket.takeLog(), ['(closed: process)'])
  // A late loss changes nothing.
  other.socket.lose(closeCodes.lost)
})

t.test('ends when an acknowledgement is not valid', async (t) => {
  for (const ack of ['1', 'x', '', '00000000000000000']) {
    const server = new FakeServer()
    const { socket, connection, session, token } = server.start()
    socket.text(`\u0000a${ack}`)
    t.same(connection.takeLog(), ['ended: protocol', 'transport closed'])
    t.ok(socket.text('dropped'))
    t.same(connection.takeLog(), [])
    t.equal(session.isAlive, false)
    t.equal(server.resume(token, 0), 'expired')
  }
})

t.test('passes errors on', async (t) => {
  const { socket, connection } = new FakeServer().start()
  socket.events.onTransportError(new Error('EPIPE'))
  t.same(connection.takeLog(), ['EPIPE'])
})
