import t from 'tap'
import { closeCodes } from '../../lib/connection/close-codes.js'
import { closedByClient, closedByProcess } from '../../lib/connection/close-reasons.js'
import { frameOverhead } from '../../lib/session/unacknowledged.js'
import { FakeServer, FakeTransport, policy } from './fake-transport.js'

/** A session whose client has sent `a` and is away. */
function suspended (server: FakeServer, changes = {}): ReturnType<FakeServer['start']> {
  const all = server.start({ notify: false, ...changes })
  all.socket.text('a')
  all.connection.takeLog()
  all.socket.lose(closeCodes.lost)
  return all
}

t.test('keeps what is sent while the client is away, up to the limits', async (t) => {
  const server = new FakeServer()
  const { session, connection } = suspended(server)
  const most = 50 + policy.buffer.bytes
  // The heads of the frames have 4 and 2 bytes.
  connection.send('x'.repeat(most - 6))
  connection.send('')
  t.equal(session.bufferedBytes, most + 2 * frameOverhead)
  t.equal(server.sessions.keptBytes, session.bufferedBytes)
  t.equal(session.allowsBurst(50), true)
  connection.send('x')
  t.equal(session.allowsBurst(50), false, 'more than the buffer and the limit')
  t.same(connection.takeLog(), ['ended: lost after 0', 'transport closed'])
  t.equal(server.sessions.keptBytes, 0)
})

t.test('limits the number of empty messages while the client is away', async (t) => {
  const { session, connection } = suspended(new FakeServer())
  let sent = 0
  while (session.bufferedBytes <= 5000 || session.allowsBurst(5000)) {
    connection.send('')
    sent++
  }
  const most = 5000 + policy.buffer.bytes + policy.buffer.frames * frameOverhead
  t.equal(sent, Math.floor(most / (2 + frameOverhead)) + 1)
})

t.test('does not count bytes of a session that is not away', async (t) => {
  const server = new FakeServer()
  const { session } = server.start()
  server.sessions.keptBytesChanged(session, 5)
  t.equal(server.sessions.keptBytes, 0)
})

t.test('tells a client that its buffer overflowed', async (t) => {
  const server = new FakeServer()
  const { session, connection, token } = suspended(server)
  connection.send('x'.repeat(2000))
  session.allowsBurst(0)
  t.equal(server.resume(token, 0), 'full')
  server.deadlines.advance(60_000)
  t.equal(server.resume(token, 0), 'expired')
  t.equal(server.deadlines.size, 0)
})

t.test('goes on when messages are dropped while the client is away', async (t) => {
  const server = new FakeServer()
  const { session, connection, token } = suspended(server, { overflow: 'drop' })
  connection.send('x'.repeat(2000))
  t.equal(session.allowsBurst(0), false)
  const socket = server.resume(token, 0) as FakeTransport
  t.match(socket.takeHello(), { from: 1 })
  t.same(socket.takeLog(), ['x'.repeat(2000)])
})

t.test('hands on what was read as the target has room', async (t) => {
  const server = new FakeServer()
  const { socket, connection, session, token } = server.start({ notify: false })
  connection.hasRoom = false
  socket.text('a')
  t.ok(session.isPaused)
  socket.lose(closeCodes.lost)
  t.ok(session.isPaused)
  connection.hasRoom = true
  session.resume()
  t.notOk(session.isPaused)
  // Controls among them cannot be answered any more.
  for (const text of ['b', '\u0000p', '\u0000a0']) socket.text(text)
  for (let i = 0; i < 64; i++) socket.text('c')
  t.equal(connection.takeLog().length, 66)
  t.same(socket.takeLog(), ['(resumed)'])
  const second = server.resume(token, 0) as FakeTransport
  t.match(second.takeHello(), { received: 66 })
  t.same(socket.takeLog(), ['(closed: lost)'])
})

t.test('counts acknowledgements that were read before the loss', async (t) => {
  const server = new FakeServer()
  const { socket, connection, session } = server.start({ notify: false })
  connection.send('1')
  connection.hasRoom = false
  socket.text('a')
  socket.lose(closeCodes.lost)
  t.equal(server.sessions.keptBytes, 3 + frameOverhead)
  session.resume()
  socket.text('\u0000a1')
  t.equal(server.sessions.keptBytes, 0)
})

t.test('ends with the reason of a close frame that was read before the loss', async (t) => {
  const server = new FakeServer()
  const { socket, connection, session } = server.start({ notify: false })
  connection.hasRoom = false
  socket.text('a')
  socket.lose(closeCodes.lost)
  session.resume()
  socket.lose(closedByClient(1000, 'bye'))
  t.match(connection.takeLog().slice(1), ['ended: client after 0', 'transport closed'])
})

t.test('leaves a tombstone when a process closes it', async (t) => {
  const server = new FakeServer()
  const { connection, token } = suspended(server)
  server.deadlines.advance(10_000)
  connection.end(closedByProcess(4001, 'kicked'))
  t.same(connection.takeLog(), ['ended: process after 10000', 'transport closed'])
  t.equal(server.resume(token, 0), 'process')
  t.equal(server.resume(token, 0, '/other'), 'refused')
  server.deadlines.advance(49_999)
  t.equal(server.sessions.tombstoneCount, 1)
  server.deadlines.advance(1)
  t.equal(server.sessions.tombstoneCount, 0)
  t.equal(server.resume(token, 0), 'expired')
})

t.test('ends the session that was away longest when there are too many', async (t) => {
  const server = new FakeServer({ maxSuspended: 2 })
  const all = [suspended(server), suspended(server), suspended(server)]
  t.same(all.map(({ session }) => session.isAlive), [false, true, true])
  t.equal(server.resume(all[0].token, 0), 'full')
  t.equal(server.sessions.suspendedCount, 2)
  all.push(suspended(server), suspended(server))
  t.equal(server.resume(all[0].token, 0), 'expired', 'two of these notices are kept')
  t.equal(server.resume(all[2].token, 0), 'full')
})

t.test('drops the oldest tombstones before it ends a session', async (t) => {
  const server = new FakeServer({ maxSuspended: 2 })
  const [first, second] = [suspended(server), suspended(server)]
  for (const { connection } of [first, second]) connection.end(closedByProcess(4000, ''))
  const third = suspended(server)
  t.equal(server.resume(first.token, 0), 'expired')
  t.equal(server.resume(second.token, 0), 'process')
  t.ok(third.session.isAlive)
})

t.test('ends the session that was away longest when all together keep too much', async (t) => {
  const server = new FakeServer({ maxResumeBytes: 150 + 2 * frameOverhead })
  const [first, second] = [suspended(server), suspended(server)]
  first.connection.send('x'.repeat(98))
  second.connection.send('x'.repeat(48))
  t.ok(first.session.isAlive)
  second.connection.send('')
  t.notOk(first.session.isAlive)
  t.ok(second.session.isAlive)
  t.equal(server.sessions.keptBytes, 52 + 2 * frameOverhead)
  server.resume(second.token, 0)
  t.equal(server.sessions.keptBytes, 0)
})

t.test('releases its tombstones when the server closes', async (t) => {
  const server = new FakeServer()
  suspended(server).connection.end(closeCodes.shutdown)
  server.sessions.close()
  t.equal(server.sessions.tombstoneCount, 0)
  t.equal(server.deadlines.size, 0)
})

t.test('refuses tokens of other nodes and incarnations, and wrong ones', async (t) => {
  const server = new FakeServer()
  const { token } = suspended(server)
  t.equal(server.resume(token.replace('web-1', 'web-2'), 0), 'node')
  t.equal(server.resume(token.replace('k3x', 'k3y'), 0), 'node')
  t.equal(server.resume(token.replace('.1.', '.2.'), 0), 'expired')
  t.equal(server.resume(token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A'), 0), 'refused')
  t.equal(server.resume(token, 0, '/other'), 'refused')
  t.type(server.resume(token, 0), FakeTransport, 'it is unharmed')
})

t.test('answers an offer that comes while it is ending', async (t) => {
  const server = new FakeServer()
  const { session, socket, token } = server.start()
  socket.text('a')
  // A message is being inflated: its end comes later.
  socket.handOver = () => {}
  session.handOver()
  t.equal(session.isAlive, false)
  t.equal(server.resume(token, 0), 'expired')
})
