// Signs of life, and the events of a page.
import t from 'tap'
import { openLab, plainLab, ticks } from './fixtures/world.js'

t.test('pings after 25 s of silence, and drops the socket 10 s later', async (t) => {
  const lab = await openLab()
  await lab.world.pass(10_000)
  lab.socket.message('\0a0')
  await lab.world.pass(24_999)
  t.strictSame(lab.socket.takeSent(), [])
  await lab.world.pass(1)
  t.strictSame(lab.socket.takeSent(), ['\0p'])
  await lab.world.pass(9999)
  lab.socket.message('\0a0')
  await lab.world.pass(24_999)
  t.strictSame(lab.socket.takeSent(), [])
  await lab.world.pass(1)
  t.strictSame(lab.socket.takeSent(), ['\0p'])
  const { socket } = lab
  await lab.world.pass(10_000)
  t.match(lab.last, { state: 'away', code: 1006, reason: 'timeout' })
  t.equal(socket.closed, undefined, 'a close frame would end the session')
  socket.message('ghost').end()
  t.strictSame(lab.messages, [], 'nothing of it is counted')
  await lab.retry()
  lab.socket.open().hello({ resumed: true })
  t.ok(socket.closed)
})

t.test('has no other timer than that of the next try while it is away', async (t) => {
  const lab = await openLab({ reconnect: () => 3_600_000 })
  lab.socket.message('a').message('\0r{"after":1000,"by":5000}').end(1001)
  lab.socket.end()
  t.equal(lab.world.pending, 1)
  await lab.world.pass(3_599_999)
  t.equal(lab.client.state, 'away')
})

t.test('closes a silent socket at once when its session cannot be resumed', async (t) => {
  const lab = await openLab({}, { token: undefined, window: 0 })
  await lab.world.pass(35_000)
  t.match(lab.last, { state: 'away' })
  t.ok(lab.socket.closed)
})

t.test('pings at once after a sleep, and gives the server time again', async (t) => {
  const lab = await openLab()
  lab.socket.message('a')
  lab.world.sleep(60_000)
  await lab.world.pass(0)
  t.strictSame(lab.socket.takeSent(), ['\0a1', '\0p'])
  lab.world.sleep(60_000)
  await lab.world.pass(0)
  t.strictSame(lab.socket.takeSent(), ['\0p'], 'the deadline was late: it says nothing')
  t.equal(lab.client.state, 'open')
  lab.world.sleep(60_000)
  await lab.world.pass(0)
  t.equal(lab.client.state, 'away', 'the timers of a hidden page are always late')
})

t.test('pings at once when something was heard before a sleep', async (t) => {
  const lab = await openLab()
  await lab.world.pass(20_000)
  lab.socket.message('\0a0')
  lab.world.sleep(10_001)
  lab.socket.message('\0a0')
  await lab.world.pass(0)
  t.strictSame(lab.socket.takeSent(), ['\0p'])
})

t.test('pings when the clock was set back', async (t) => {
  const lab = await openLab()
  lab.world.sleep(-3_600_000)
  await lab.world.pass(3_625_000)
  t.equal(lab.socket.takeSent()[0], '\0p')
})

t.test('sends no ping in plain mode', async (t) => {
  const lab = await plainLab()
  await lab.world.pass(3_600_000)
  lab.world.dispatchEvent(new Event('online'))
  t.strictSame(lab.socket.sent, [])
  t.equal(lab.client.state, 'open')
})

t.test('tries at once when the network is back, or the page is seen', async (t) => {
  for (const [name, persisted] of [['online'], ['visibilitychange'], ['pageshow', true]] as const) {
    const lab = await openLab()
    lab.socket.end()
    lab.world.dispatchEvent(Object.assign(new Event(name), persisted && { persisted }))
    await ticks()
    t.equal(lab.client.state, 'connecting', name)
    t.equal(lab.world.sockets.length, 2)
    await lab.world.pass(500)
    t.equal(lab.world.sockets.length, 2, 'the timer of the backoff is stopped')
  }
})

t.test('tries at once when the network is back, also in a hidden page', async (t) => {
  for (const [name, persisted] of [['online'], ['pageshow', true]] as const) {
    const lab = await openLab()
    lab.socket.end()
    lab.world.document.hidden = true
    lab.world.dispatchEvent(Object.assign(new Event(name), persisted && { persisted }))
    await ticks()
    t.equal(lab.client.state, 'connecting', name)
  }
})

t.test('waits when the page is hidden, or has just been loaded', async (t) => {
  const lab = await openLab()
  lab.socket.end()
  lab.world.document.hidden = true
  lab.world.dispatchEvent(new Event('visibilitychange'))
  lab.world.document.hidden = false
  lab.world.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: false }))
  t.equal(lab.client.state, 'away')
})

t.test('asks an open socket for a sign of life, once', async (t) => {
  const lab = await openLab()
  lab.world.dispatchEvent(new Event('online'))
  await lab.world.pass(5000)
  lab.world.dispatchEvent(new Event('visibilitychange'))
  t.strictSame(lab.socket.takeSent(), ['\0p'])
  await lab.world.pass(5000)
  t.equal(lab.client.state, 'away')
})

t.test('does nothing on freeze and pagehide', async (t) => {
  const lab = await openLab()
  for (const name of ['freeze', 'pagehide', 'resume']) lab.world.dispatchEvent(new Event(name))
  t.equal(lab.client.state, 'open')
  t.strictSame(lab.socket.sent, [])
})
