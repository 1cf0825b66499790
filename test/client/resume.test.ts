// Negotiated mode: one session over many sockets.
import t from 'tap'
import { Lab, openLab, ticks } from './fixtures/world.js'

t.test('is open when the hello comes, and acknowledges it at once', async (t) => {
  const lab = new Lab({ protocols: ['a', 'b'] })
  lab.client.send('early')
  await ticks()
  t.strictSame(lab.socket.protocols, ['v1.ws-relay', 'a', 'b'])
  lab.socket.open()
  t.equal(lab.client.state, 'connecting')
  lab.socket.hello({ protocol: 'b' })
  t.equal(lab.client.protocol, 'b')
  t.strictSame(lab.socket.sent, ['\0a0', 'early', '\0p'])
  t.match(lab.last, { state: 'open', attempt: 0, resumed: false })
  t.strictSame(lab.resets, [])
})

t.test('sends again what the server has not taken, and skips what it has', async (t) => {
  const lab = await openLab()
  for (const text of ['one', 'two', 'three']) lab.client.send(text)
  lab.socket.message('a').message('b').end()
  t.match(lab.last, { state: 'away', attempt: 1, wait: 500, code: 1006 })
  lab.client.send('four')
  const socket = await lab.retry()
  t.strictSame(socket.protocols, ['v1.ws-relay', 'resume.ws-relay.n.i.1.t.2'])
  socket.open().hello({ token: 'n.i.1.u', from: 2, received: 1, resumed: true })
  t.strictSame(socket.takeSent(), ['\0a2', 'two', 'three', 'four', '\0p'])
  socket.message('b').message('c')
  t.strictSame(lab.messages, ['a', 'b', 'c'])
  t.strictSame(lab.resets, [])
  t.match(lab.last, { state: 'open', resumed: true })
  socket.message('\0a4').end()
  const third = await lab.retry()
  t.strictSame(third.protocols, ['v1.ws-relay', 'resume.ws-relay.n.i.1.u.3'])
  third.open().hello({ from: 4, received: 4, resumed: true })
  t.strictSame(third.sent, ['\0a3'])
})

t.test('resets when the session is not resumed, and sends nothing again', async (t) => {
  for (const why of ['refused', 'node', 'gap', 'expired', 'full', 'moving']) {
    const lab = await openLab()
    lab.client.send('one')
    lab.client.send(Uint8Array.of(2))
    lab.socket.message('\0a1').message('x').end()
    lab.client.send('three')
    const delivered = lab.client.delivered()
    const socket = await lab.retry()
    socket.open().hello({ why })
    t.strictSame(lab.resets, [{ why, unsent: [Uint8Array.of(2), 'three'] }])
    t.match(lab.last, { state: 'open', resumed: false, why })
    t.strictSame(socket.takeSent(), ['\0a0'])
    await t.rejects(delivered, { code: 'SESSION_RESET', message: 'SESSION_RESET' })
    lab.client.send('four')
    socket.message('\0a1').message('y')
    t.strictSame(lab.messages, ['x', 'y'])
    await t.resolves(lab.client.delivered())
  }
})

t.test('sends all of it again in the new session with `resend`', async (t) => {
  const lab = await openLab({ resend: true })
  lab.client.send('one')
  lab.client.send('two')
  lab.socket.message('\0a1').end()
  lab.client.send('three')
  const delivered = lab.client.delivered()
  const socket = await lab.retry()
  socket.open().hello({ why: 'expired' })
  t.strictSame(lab.resets, [{ why: 'expired', unsent: [] }])
  t.strictSame(socket.sent, ['\0a0', 'two', 'three', '\0p'])
  socket.message('\0a2')
  await t.resolves(delivered)
})

t.test('resets with `off` where the route does not allow resume', async (t) => {
  const lab = await openLab({}, { token: undefined, window: 0 })
  lab.client.send('one')
  lab.socket.end()
  const socket = await lab.retry()
  t.strictSame(socket.protocols, ['v1.ws-relay'])
  socket.open().hello({ token: undefined, window: 0, resumed: true })
  t.strictSame(lab.resets, [{ why: 'off', unsent: ['one'] }])
})

t.test('escapes texts that begin with U+0000, in both directions', async (t) => {
  const lab = await openLab()
  const texts = ['\0', '\0p', '\0\0a', '', 'a\0']
  for (const text of texts) lab.client.send(text)
  t.strictSame(lab.socket.takeSent(), ['\0\0', '\0\0p', '\0\0\0a', '', 'a\0'])
  for (const text of ['\0\0', '\0\0p', '\0\0\0a', '', 'a\0']) lab.socket.message(text)
  t.strictSame(lab.messages, texts)
  const bytes = Uint8Array.of(0, 112)
  lab.client.send(bytes)
  lab.socket.message(bytes.buffer)
  t.strictSame(lab.socket.sent, [bytes])
  t.strictSame(lab.messages.at(-1), bytes.buffer)
})

t.test('ignores controls that it does not know', async (t) => {
  const lab = await openLab()
  for (const text of ['\0', '\0z', '\0e{"topic":"x","path":""}', '\0h{}', '\0p']) {
    lab.socket.message(text)
  }
  t.equal(lab.client.state, 'open')
  t.strictSame(lab.messages, [])
  t.strictSame(lab.socket.sent, [])
})

t.test('acknowledges after 1 s, 128 messages or 32 KiB', async (t) => {
  const lab = await openLab()
  lab.socket.message('a')
  await lab.world.pass(500)
  lab.socket.message('b')
  await lab.world.pass(499)
  t.strictSame(lab.socket.takeSent(), [])
  await lab.world.pass(1)
  t.strictSame(lab.socket.takeSent(), ['\0a2'])
  for (let i = 0; i < 127; i++) lab.socket.message('c')
  t.strictSame(lab.socket.takeSent(), [])
  lab.socket.message('c')
  t.strictSame(lab.socket.takeSent(), ['\0a130'])
  await lab.world.pass(1000)
  t.strictSame(lab.socket.takeSent(), [], 'there is nothing more to acknowledge')
  lab.socket.message('é'.repeat(8192)).message(new ArrayBuffer(16383))
  t.strictSame(lab.socket.takeSent(), [])
  lab.socket.message('.')
  t.strictSame(lab.socket.takeSent(), ['\0a133'])
})

t.test('refuses what the queue has no room for, until it is acknowledged', async (t) => {
  const lab = await openLab({ queue: 10 })
  t.ok(lab.client.send('éé'))
  t.ok(lab.client.send(new Uint8Array(6)))
  t.notOk(lab.client.send('x'))
  t.ok(lab.client.send(''))
  lab.socket.message('\0a1')
  t.ok(lab.client.send('four'))
  t.notOk(lab.client.send('x'))
})

t.test('asks for an acknowledgement when the queue is full, once', async (t) => {
  const lab = await openLab({ queue: 3 })
  lab.client.send('one')
  for (let i = 0; i < 3; i++) t.notOk(lab.client.send('two'))
  t.strictSame(lab.socket.takeSent(), ['one', '\0p'])
  lab.socket.message('\0a1')
  t.ok(lab.client.send('two'))
  lab.socket.end()
  t.notOk(lab.client.send('six'))
  t.equal(lab.world.pending, 1, 'there is nobody to ask: only the next try is waited for')
  const socket = await lab.retry()
  socket.open().hello({ received: 1, resumed: true })
  t.strictSame(socket.sent, ['\0a0', 'two', '\0p'])
})

t.test('copies bytes, so that a caller may use them again', async (t) => {
  const lab = await openLab()
  const buffer = Buffer.from([1, 2, 3])
  lab.client.send(buffer)
  buffer.fill(0)
  lab.socket.end()
  const socket = await lab.retry()
  socket.open().hello({ received: 0, resumed: true })
  t.strictSame([...socket.sent[1] as Uint8Array], [1, 2, 3])
  t.throws(() => lab.client.send({} as never), TypeError)
  t.throws(() => lab.client.send(5 as never), TypeError)
})

t.test('tells when everything sent so far is delivered', async (t) => {
  const lab = await openLab()
  await t.resolves(lab.client.delivered())
  lab.socket.takeSent()
  lab.client.send('one')
  lab.client.send('two')
  let done = 0
  const both = [lab.client.delivered(), lab.client.delivered()]
  for (const each of both) each.then(() => { done++ }, t.error)
  t.strictSame(lab.socket.sent, ['one', 'two', '\0p', '\0p'])
  lab.client.send('three')
  lab.socket.message('\0a1')
  await ticks()
  t.equal(done, 0)
  lab.socket.message('\0a2')
  await ticks()
  t.equal(done, 2)
})

t.test('tells it over a loss, and asks again', async (t) => {
  const lab = await openLab()
  lab.client.send('one')
  lab.socket.end()
  const delivered = lab.client.delivered()
  const socket = await lab.retry()
  socket.open().hello({ resumed: true })
  t.strictSame(socket.takeSent(), ['\0a0', 'one', '\0p'])
  socket.message('\0a1')
  await t.resolves(delivered)
})

t.test('rejects it when the client is closed, and when the server turns out to be plain', async (t) => {
  const lab = await openLab()
  lab.client.send('one')
  const delivered = lab.client.delivered()
  lab.client.close()
  await t.rejects(delivered, { code: 'CLOSED' })
  await t.rejects(lab.client.delivered(), { code: 'CLOSED' })
  const other = new Lab()
  other.client.send('one')
  const waiting = other.client.delivered()
  await ticks()
  other.socket.open('')
  await t.rejects(waiting, { code: 'PLAIN_MODE' })
  await t.rejects(other.client.delivered(), { code: 'PLAIN_MODE' })
})

t.test('gives the session up after an acknowledgement that cannot be', async (t) => {
  for (const ack of ['\0a2', '\0a', '\0a-1', '\0a1.0', '\0a00000000000000001', '\0ax']) {
    const lab = await openLab()
    lab.client.send('one')
    const { socket } = lab
    socket.message(ack)
    t.ok(socket.closed, ack)
    t.match(lab.last, { state: 'away', code: 1006, reason: 'protocol' })
    await lab.retry()
    t.strictSame(lab.socket.protocols, ['v1.ws-relay'])
    lab.socket.open().hello()
    t.strictSame(lab.resets, [{ why: 'protocol', unsent: ['one'] }])
  }
})

t.test('ignores an acknowledgement that is older than another', async (t) => {
  const lab = await openLab()
  lab.client.send('one')
  lab.client.send('two')
  lab.socket.message('\0a2').message('\0a1').message('\0a0000000000000002')
  t.equal(lab.client.state, 'open')
  await t.resolves(lab.client.delivered())
})

t.test('gives the session up after a hello that cannot be', async (t) => {
  for (const hello of [{ from: 3 }, { received: 2 }]) {
    const lab = await openLab()
    lab.client.send('one')
    lab.socket.message('a').end()
    const socket = await lab.retry()
    socket.open().hello({ resumed: true, ...hello })
    t.ok(socket.closed)
    t.match(lab.last, { state: 'away', reason: 'protocol' })
  }
})

t.test('waits for the close frame of a session that ended while it was away', async (t) => {
  const lab = await openLab()
  lab.client.send('one')
  lab.socket.end()
  const socket = await lab.retry()
  socket.open().hello({ token: undefined, window: 0, why: 'ended' })
  t.equal(lab.client.state, 'connecting')
  await lab.world.pass(2000)
  t.equal(lab.client.state, 'connecting')
  socket.end(4001, 'banned')
  t.strictSame(lab.last, {
    state: 'closed', attempt: 1, code: 4001, reason: 'banned', unsent: ['one']
  })
})

t.test('begins a new session after the end of the old one', async (t) => {
  const lab = await openLab()
  lab.socket.end()
  const socket = await lab.retry()
  socket.open().hello({ token: undefined, window: 0, why: 'ended' }).end(1011, 'target process exited')
  const next = await lab.retry()
  t.strictSame(next.protocols, ['v1.ws-relay'])
  next.open().hello()
  t.strictSame(lab.resets, [{ why: 'ended', unsent: [] }])
})

t.test('drops a socket whose close frame never follows', async (t) => {
  const lab = await openLab()
  lab.socket.end()
  const socket = await lab.retry()
  socket.open().hello({ why: 'ended' })
  await lab.world.pass(10_000)
  t.ok(socket.closed)
  t.match(lab.last, { state: 'away', reason: 'timeout' })
})

t.test('keeps a session when one hello does not come, and gives it up at the second', async (t) => {
  const lab = await openLab()
  lab.socket.end()
  const silent = (await lab.retry()).open()
  await lab.world.pass(2000)
  t.match(lab.last, { state: 'away', reason: 'timeout' })
  t.equal(silent.closed, undefined, 'a close frame would end the session')
  const second = await lab.retry()
  t.equal(second.protocols.length, 2)
  second.open().hello({ resumed: true })
  t.ok(silent.closed)
  t.strictSame(lab.resets, [])
  second.end()
  for (let i = 0; i < 2; i++) {
    (await lab.retry()).open()
    await lab.world.pass(2000)
  }
  t.match(lab.last, { state: 'open', resumed: false, why: 'plain' })
  t.equal(lab.resets.length, 1)
})
