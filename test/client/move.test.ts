// The server advises to reconnect: the new socket is opened before the old one is closed.
import t from 'tap'
import { openLab, ticks, type Lab } from './fixtures/world.js'

async function advise (lab: Lab, advice: object): Promise<void> {
  lab.socket.message(`\0r${JSON.stringify(advice)}`)
  await ticks()
}

t.test('moves to a new socket without a gap, and closes the old one then', async (t) => {
  const lab = await openLab()
  const old = lab.socket
  old.message('a')
  await advise(lab, { after: 100, by: 5000 })
  await lab.world.pass(99)
  t.equal(lab.world.sockets.length, 1)
  await lab.world.pass(1)
  t.strictSame(lab.socket.protocols, ['v1.ws-relay', 'resume.ws-relay.n.i.1.t.1'])
  old.message('b')
  lab.client.send('one')
  t.strictSame(old.sent, ['\0a1', '\0p', 'one'], 'the old socket is used until the new hello')
  t.strictSame(lab.takeStates(), [])
  const socket = lab.socket.open()
  old.message('c')
  socket.hello({ from: 2, received: 0, resumed: true })
  t.strictSame(lab.takeStates(), ['open'])
  t.ok(old.closed)
  old.message('ghost').end()
  socket.message('b').message('c').message('d')
  t.strictSame(lab.messages, ['a', 'b', 'c', 'd'])
  t.strictSame(socket.takeSent(), ['\0a3', 'one', '\0p'])
  t.equal(lab.client.state, 'open')
  await lab.world.pass(5000)
  t.equal(lab.client.state, 'open', 'the deadline of the old socket is stopped')
})

t.test('goes on with the old socket when a try fails, which is not counted', async (t) => {
  const lab = await openLab()
  await advise(lab, { after: 0, by: 5000 })
  for (let i = 0; i < 4; i++) {
    await lab.world.pass(i === 0 ? 1 : 500)
    t.equal(lab.world.sockets.length, i + 2)
    lab.socket.end()
  }
  t.strictSame(lab.takeStates(), [])
  lab.world.sockets[0].message('still here')
  t.strictSame(lab.messages, ['still here'])
  lab.world.sockets[0].end(1001, 'server shutting down')
  t.equal(lab.client.state, 'connecting')
  t.match(lab.last, { attempt: 0 })
  lab.socket.end()
  t.match(lab.last, { state: 'away', attempt: 1, wait: 500 }, 'the backoff begins now')
})

t.test('tells both sides what has arrived, with the advice and after each failed try', async (t) => {
  const lab = await openLab()
  lab.client.send('one')
  lab.socket.message('a').message('b').takeSent()
  await advise(lab, { after: 0 })
  const [old] = lab.world.sockets
  t.strictSame(old.takeSent(), ['\0a2', '\0p'])
  old.message('\0a1').message('c')
  await lab.world.pass(1)
  lab.socket.end()
  t.strictSame(old.takeSent(), ['\0a3', '\0p'])
  await lab.world.pass(500)
  lab.socket.open().hello({ why: 'node' })
  t.strictSame(lab.resets, [{ why: 'node', unsent: [] }])
})

t.test('leaves the old socket half a second after `by`', async (t) => {
  const lab = await openLab()
  await advise(lab, { after: 0, by: 300 })
  await lab.world.pass(799)
  t.equal(lab.client.state, 'open')
  await lab.world.pass(1)
  t.equal(lab.client.state, 'connecting')
  t.equal(lab.world.sockets.length, 2, 'the try goes on')
  t.equal(lab.world.sockets[0].closed, undefined)
  lab.socket.open().hello({ resumed: true })
  t.ok(lab.world.sockets[0].closed)
  t.match(lab.last, { state: 'open', resumed: true })
})

t.test('ends when the old socket ends for good, and ends the try', async (t) => {
  const lab = await openLab()
  await advise(lab, { after: 0, by: 5000 })
  await lab.world.pass(1)
  lab.world.sockets[0].end(4001, 'banned')
  t.match(lab.last, { state: 'closed', code: 4001 })
  t.ok(lab.socket.closed)
  t.equal(lab.world.pending, 0)
})

t.test('begins a try at once when the old socket is lost before it', async (t) => {
  const lab = await openLab()
  await advise(lab, { after: 3000, by: 5000 })
  lab.socket.end()
  await ticks()
  t.equal(lab.world.sockets.length, 2)
  t.equal(lab.client.state, 'connecting')
})

t.test('resets when the new socket has a new session', async (t) => {
  const lab = await openLab()
  lab.client.send('one')
  await advise(lab, { after: 0 })
  await lab.world.pass(1)
  lab.socket.open().hello({ why: 'node' })
  t.strictSame(lab.resets, [{ why: 'node', unsent: ['one'] }])
  await advise(lab, {})
  await lab.world.pass(500)
  lab.socket.open('')
  t.equal(lab.resets[1].why, 'plain', 'the new server is plain')
})

t.test('ignores advice that is no JSON', async (t) => {
  const lab = await openLab()
  lab.socket.message('\0r{').message('\0r').message('\0r[]')
  await lab.world.pass(20_000)
  t.equal(lab.client.state, 'open')
  t.equal(lab.world.sockets.length, 1)
})
