// Plain mode: a WebSocket that reconnects.
import t from 'tap'
import { Lab, plainLab, ticks } from './fixtures/world.js'

t.test('connects to the path, on the host of the page, with wss', async (t) => {
  const lab = new Lab({ protocols: ['chat'] })
  t.equal(lab.client.state, 'connecting')
  await ticks()
  t.equal(lab.socket.url, 'wss://app.example.com/ws')
  t.strictSame(lab.socket.protocols, ['v1.ws-relay', 'chat'])
  t.equal(lab.socket.binaryType, 'arraybuffer')
  lab.socket.open('chat')
  t.equal(lab.client.state, 'open')
  t.equal(lab.client.protocol, 'chat')
  t.strictSame(lab.takeStates(), ['connecting', 'open'])
  t.strictSame(lab.resets, [])
})

t.test('sends what was queued, then each message at once, without escapes', async (t) => {
  const lab = new Lab()
  t.ok(lab.client.send('one'))
  t.ok(lab.client.send('\0two'))
  await ticks()
  lab.socket.open('')
  t.ok(lab.client.send(Uint8Array.of(1, 2)))
  t.strictSame(lab.socket.sent, ['one', '\0two', Uint8Array.of(1, 2)])
  lab.socket.message('\0a1').message('answer')
  t.strictSame(lab.messages, ['\0a1', 'answer'])
  t.strictSame(lab.socket.sent.length, 3)
})

t.test('resets after a loss, and hands out what no socket was given', async (t) => {
  const lab = await plainLab()
  const first = lab.socket
  lab.client.send('given')
  first.end(1006)
  t.match(lab.last, { state: 'away', attempt: 1, wait: 500, code: 1006 })
  lab.client.send('kept')
  await lab.world.pass(500)
  t.not(lab.socket, first)
  t.strictSame(lab.socket.protocols, [], 'a plain server gets no offer again')
  lab.socket.open('')
  t.strictSame(lab.resets, [{ why: 'plain', unsent: ['kept'] }])
  t.strictSame(lab.socket.sent, [])
  t.match(lab.last, { state: 'open', resumed: false, why: 'plain' })
})

t.test('sends what no socket was given with `resend`', async (t) => {
  const lab = await plainLab({ resend: true })
  lab.socket.end()
  lab.client.send('kept')
  await lab.world.pass(500)
  lab.socket.open('')
  t.strictSame(lab.resets, [{ why: 'plain', unsent: [] }])
  t.strictSame(lab.socket.sent, ['kept'])
})

t.test('keeps what it is given while the socket closes', async (t) => {
  const lab = await plainLab()
  lab.socket.readyState = 2
  t.ok(lab.client.send('late'))
  lab.socket.end(1001)
  await lab.world.pass(500)
  lab.socket.open('')
  t.strictSame(lab.resets[0].unsent, ['late'])
})

t.test('is plain 2 s after the 101 of a server that sends no hello', async (t) => {
  const lab = new Lab()
  lab.client.send('queued')
  await ticks()
  lab.socket.open('v1.ws-relay')
  await lab.world.pass(1999)
  t.equal(lab.client.state, 'connecting')
  await lab.world.pass(1)
  t.equal(lab.client.state, 'open')
  t.equal(lab.client.protocol, '', 'the echo of the offer is no choice of the application')
  t.strictSame(lab.socket.sent, ['queued'])
  lab.socket.end()
  await lab.world.pass(500)
  t.strictSame(lab.socket.protocols, [])
})

t.test('is plain when the first frame is no hello, and delivers that frame', async (t) => {
  for (const first of ['welcome', '\0hnot JSON', '\0h{"cut":', Uint8Array.of(0, 104).buffer]) {
    const lab = new Lab()
    await ticks()
    lab.socket.open().message(first).hello()
    t.equal(lab.client.state, 'open')
    t.strictSame(lab.messages[0], first)
    t.equal(lab.messages.length, 2, 'a hello that is not the first frame is a message')
    t.equal(lab.socket.closed, undefined)
  }
})

t.test('closes the socket when a hello comes late, and offers again', async (t) => {
  const lab = new Lab()
  await ticks()
  const first = lab.socket.open()
  await lab.world.pass(2000)
  first.hello()
  t.ok(first.closed)
  t.match(lab.last, { state: 'away' })
  t.strictSame(lab.messages, [])
  await lab.world.pass(500)
  t.strictSame(lab.socket.protocols, ['v1.ws-relay'])
  lab.socket.open().hello()
  t.strictSame(lab.resets, [{ why: 'plain', unsent: [] }])
})

t.test('takes a hello for a message when another message came first', async (t) => {
  const lab = new Lab()
  await ticks()
  lab.socket.open()
  await lab.world.pass(2000)
  lab.socket.message('hi').hello()
  t.equal(lab.client.state, 'open')
  t.equal(lab.messages.length, 2)
})

t.test('never offers with `negotiate: false`', async (t) => {
  const lab = new Lab({ negotiate: false, protocols: ['chat'] })
  await ticks()
  t.strictSame(lab.socket.protocols, ['chat'])
  lab.socket.open('chat').hello()
  t.equal(lab.messages.length, 1)
  lab.socket.end()
  await lab.world.pass(500)
  t.strictSame(lab.socket.protocols, ['chat'])
})

t.test('offers at every second try until a handshake succeeds', async (t) => {
  const lab = new Lab({ protocols: ['chat'] })
  await ticks()
  const offers: boolean[] = []
  for (let i = 0; i < 4; i++) {
    offers.push(lab.socket.protocols.includes('v1.ws-relay'))
    lab.socket.end()
    await lab.retry()
  }
  t.strictSame(offers, [true, false, true, false])
  lab.socket.open()
  t.equal(lab.client.state, 'connecting')
  lab.socket.hello()
  for (let i = 0; i < 4; i++) {
    lab.socket.end()
    await lab.retry()
    t.equal(lab.socket.protocols[0], 'v1.ws-relay', 'there is a session to lose')
  }
  lab.world.sleep(60_000)
  const later: boolean[] = []
  for (let i = 0; i < 4; i++) {
    lab.socket.end()
    await lab.retry()
    later.push(lab.socket.protocols.includes('v1.ws-relay'))
  }
  t.strictSame(later, [false, true, false, true], 'its window is over')
})

t.test('offers again after a try that ran out of time', async (t) => {
  const lab = new Lab()
  await ticks()
  for (let i = 0; i < 3; i++) {
    t.strictSame(lab.socket.protocols, ['v1.ws-relay'], 'no answer says nothing about the offer')
    await lab.world.pass(10_000)
    t.match(lab.last, { state: 'away', reason: 'timeout' })
    await lab.retry()
  }
  lab.socket.open().hello()
  t.match(lab.last, { state: 'open', attempt: 3 })
  t.strictSame(lab.resets, [])
})

t.test('offers again when a try without an offer has succeeded', async (t) => {
  const lab = new Lab()
  await ticks()
  lab.socket.end()
  await lab.retry()
  t.strictSame(lab.socket.protocols, [])
  lab.socket.open().end()
  await lab.retry()
  t.strictSame(lab.socket.protocols, ['v1.ws-relay'])
})

t.test('counts the bytes that the socket has not written', async (t) => {
  const lab = await plainLab({ queue: 10 })
  lab.socket.bufferedAmount = 8
  t.notOk(lab.client.send('abc'))
  t.ok(lab.client.send('ab'))
  lab.socket.bufferedAmount = 0
  t.ok(lab.client.send('0123456789'))
  t.notOk(lab.client.send('01234567890'))
})
