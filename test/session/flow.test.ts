import t from 'tap'
import { closeCodes } from '../../lib/connection/close-codes.js'
import { frameOverhead } from '../../lib/session/unacknowledged.js'
import { FakeServer, FakeTransport } from './fake-transport.js'

t.test('acknowledges after 64 messages', async (t) => {
  const { socket } = new FakeServer().start()
  for (let i = 0; i < 63; i++) socket.text('a')
  t.same(socket.takeLog(), [])
  socket.text('a')
  t.same(socket.takeLog(), ['\u0000a64'])
  for (let i = 0; i < 64; i++) socket.text('a')
  t.same(socket.takeLog(), ['\u0000a128'])
})

t.test('acknowledges after 64 KiB', async (t) => {
  const { socket } = new FakeServer().start()
  socket.text('x'.repeat(65_535))
  t.same(socket.takeLog(), [])
  socket.text('x')
  t.same(socket.takeLog(), ['\u0000a2'])
})

t.test('answers pings once per write, with the number of the last moment', async (t) => {
  const { socket } = new FakeServer().start()
  for (let i = 0; i < 5; i++) {
    socket.text('a')
    socket.text('\u0000p')
  }
  t.same(socket.takeLog(), ['\u0000a1'])
  socket.taken()
  t.same(socket.takeLog(), ['\u0000a5'])
  socket.taken()
  t.same(socket.takeLog(), [])
})

t.test('acknowledges nothing after the close frame', async (t) => {
  const { socket, connection } = new FakeServer().start()
  for (let i = 0; i < 63; i++) socket.text('a')
  connection.onMessage = () => {
    connection.end(closeCodes.clientTooSlow)
    return true
  }
  socket.text('a')
  t.same(socket.takeLog(), ['(closed: slow)'])
})

t.test('answers no ping after the close frame', async (t) => {
  const { socket, connection } = new FakeServer().start()
  for (let i = 0; i < 2; i++) socket.text('\u0000p')
  connection.end(closeCodes.clientTooSlow)
  socket.taken()
  t.same(socket.takeLog(), ['\u0000a0', '(closed: slow)'])
})

t.test('answers a ping on a new socket when the last answer was lost', async (t) => {
  const server = new FakeServer()
  const { socket, token } = server.start()
  socket.text('\u0000p')
  socket.lose(closeCodes.lost)
  const second = server.resume(token, 0) as FakeTransport
  second.takeHello()
  second.text('\u0000p')
  t.same(second.takeLog(), ['\u0000a0'])
})

t.test('gives a client that is not read a sign of life every ten seconds', async (t) => {
  const server = new FakeServer()
  const { socket, connection, session } = server.start()
  connection.hasRoom = false
  t.notOk(socket.text('a'))
  server.deadlines.advance(9_999)
  t.same(socket.takeLog(), [])
  server.deadlines.advance(1)
  t.same(socket.takeLog(), ['\u0000a1'])
  socket.taken()
  server.deadlines.advance(10_000)
  t.same(socket.takeLog(), ['\u0000a1'])
  session.resume()
  server.deadlines.advance(60_000)
  t.same(socket.takeLog(), ['(resumed)'])
  t.equal(server.deadlines.size, 0)
})

t.test('keeps the window when the target gets room while the client is away', async (t) => {
  const server = new FakeServer()
  const { socket, connection, session } = server.start()
  connection.hasRoom = false
  socket.text('a')
  socket.lose(closeCodes.lost)
  session.resume()
  server.deadlines.advance(60_000)
  t.match(connection.takeLog().at(-2), 'ended: lost')
})

t.test('has room as long as the socket has', async (t) => {
  const { socket, session } = new FakeServer().start()
  socket.bufferedBytes = 11
  t.equal(session.bufferedBytes, 11)
  t.equal(session.allowsBurst(10), false)
  socket.burst = true
  t.equal(session.allowsBurst(10), true)
})

t.test('gives a client time for what was replayed', async (t) => {
  const server = new FakeServer()
  const { socket, connection, session, token } = server.start()
  socket.text('a')
  connection.send('x'.repeat(98))
  const second = server.resume(token, 0) as FakeTransport
  second.bufferedBytes = 110
  t.equal(session.allowsBurst(10), true)
  second.bufferedBytes = 111
  t.equal(session.allowsBurst(10), false)
  second.bufferedBytes = 110
  t.equal(session.allowsBurst(10), false, 'once is enough')
})

t.test('evicts nothing that waits for the kernel', async (t) => {
  const server = new FakeServer()
  const { socket, connection, session, token } = server.start()
  socket.text('a')
  for (let i = 0; i < 30; i++) {
    socket.bufferedBytes = 30 * (i + 1)
    connection.send('x'.repeat(28))
  }
  t.equal(session.keptBytes, 30 * (30 + frameOverhead))
  socket.bufferedBytes = 0
  connection.send('x'.repeat(28))
  t.equal(session.keptBytes, 3 * (30 + frameOverhead))
  t.equal(server.resume(token, 27), 'gap')
})

t.test('calls back when the kernel of any socket has the message', async (t) => {
  const server = new FakeServer()
  const { socket, connection, token } = server.start()
  const log: string[] = []
  socket.text('a')
  connection.send('1', () => log.push('1'))
  socket.taken()
  connection.send('2', () => log.push('2'))
  socket.lose(closeCodes.lost)
  connection.send('3', () => log.push('3'))
  connection.send('4', () => log.push('4'))
  t.same(log, ['1'])
  const second = server.resume(token, 2) as FakeTransport
  t.same(log, ['1', '2'], 'the client has it')
  second.taken()
  t.same(log, ['1', '2', '3', '4'])
})

t.test('calls back when the client has acknowledged', async (t) => {
  const server = new FakeServer()
  const { socket, connection, session, token } = server.start()
  const log: string[] = []
  for (const text of ['1', '2', '3']) {
    connection.send(text)
    session.whenAcknowledged(() => log.push(text))
  }
  socket.text('\u0000a2')
  t.same(log, ['1', '2'])
  socket.lose(closeCodes.lost)
  server.resume(token, 3)
  t.same(log, ['1', '2', '3'])
})

t.test('calls back at once when the client has acknowledged everything', async (t) => {
  const { socket, connection, session } = new FakeServer().start()
  const log: string[] = []
  session.whenAcknowledged(() => log.push('nothing was sent'))
  connection.send('1')
  socket.text('\u0000a1')
  session.whenAcknowledged(() => log.push('one message was sent'))
  t.same(log, ['nothing was sent', 'one message was sent'])
})

t.test('calls nobody back for an acknowledgement after its end', async (t) => {
  const { connection, session } = new FakeServer().start()
  connection.send('1')
  session.whenAcknowledged(() => { t.fail('called back') })
  connection.end(closeCodes.shutdown)
  t.equal(session.keptBytes, 0)
})

t.test('advises a client with a socket to reconnect', async (t) => {
  const server = new FakeServer()
  const { socket, connection, session, token } = server.start()
  t.ok(session.adviseReconnect(5000))
  t.same(socket.takeLog(), ['\u0000a0', '\u0000r{"after":0,"by":5000}'])
  socket.text('\u0000a0')
  socket.lose(closeCodes.lost)
  t.notOk(session.adviseReconnect(5000), 'it is away')
  const second = server.resume(token, 0) as FakeTransport
  t.match(second.takeHello(), { from: 1 }, 'the advice is no message')
  t.ok(session.adviseReconnect(100))
  t.same(second.takeLog(), ['\u0000a0', '\u0000r{"after":0,"by":100}'])
  connection.end(closeCodes.shutdown)
  t.same(second.takeLog(), ['(closed: shutdown)'])
  t.notOk(session.adviseReconnect(5000), 'it has ended')
})

t.test('reports an invalid message to a client with a socket, as no message', async (t) => {
  const server = new FakeServer()
  const { socket, session, token } = server.start()
  session.reportInvalid('{"path":""}')
  t.same(socket.takeLog(), ['\u0000e{"path":""}'])
  socket.text('\u0000a0')
  socket.lose(closeCodes.lost)
  session.reportInvalid('{}')
  const second = server.resume(token, 0) as FakeTransport
  t.match(second.takeHello(), { from: 1 })
  t.same(second.takeLog(), [])
})

t.test('ends while the client is not read', async (t) => {
  const server = new FakeServer()
  const { socket, connection } = server.start()
  connection.hasRoom = false
  socket.text('a')
  connection.end(closeCodes.shutdown)
  t.equal(server.deadlines.size, 0)
})

t.test('stops reading when its connection says so, once the client has sent one', async (t) => {
  const server = new FakeServer()
  const { socket, session } = server.start()
  session.pause()
  t.same(socket.takeLog(), [])
  socket.text('a')
  session.pause()
  t.same(socket.takeLog(), ['(paused)'])
  server.deadlines.advance(10_000)
  t.same(socket.takeLog(), ['\u0000a1'])
  session.resume()
  t.same(socket.takeLog(), ['(resumed)'])
})
