import t from 'tap'
import { closeTimeout, FakeServer } from '../properties/drain/fake-server.js'

t.test('closes at most 1000 in 100 ms, until the time for it is over', async (t) => {
  const server = new FakeServer()
  server.add(100_000)
  server.start(0, 0)
  server.clock.advance(1)
  t.equal(server.ended.length, 1000)
  server.clock.advance(1000)
  t.equal(server.ended.length, 11_000)
  server.clock.advance(closeTimeout)
  t.equal(server.ended.length, 100_000)
  t.equal(await server.timeLeft(), 0)
})

t.test('gives the turns in random order', async (t) => {
  const server = new FakeServer()
  server.add(200)
  server.start(0, 10_000)
  server.clock.advance(10_000)
  const order = server.ended.map((line) => Number(line.split(' ')[0]))
  const sorted = [...order].sort((a, b) => a - b)
  t.equal(order.length, 200)
  t.strictNotSame(order, sorted)
  t.strictNotSame(order, [...sorted].reverse())
})

t.test('closes a client that ignores the advice after closeTimeout', async (t) => {
  const server = new FakeServer()
  const [guest] = server.add(1, { counts: true })
  server.start(0, 1000)
  server.clock.advance(1000)
  t.equal(guest.advice, closeTimeout)
  server.clock.advance(closeTimeout - 101)
  t.ok(guest.isOpen)
  server.clock.advance(101)
  t.strictSame(server.ended, ['0 shutdown'])
  t.equal(await server.timeLeft(), 0)
})

t.test('advises `closeTimeout` to the last client, too, when its timer is late', async (t) => {
  const server = new FakeServer()
  const [guest] = server.add(1, { counts: true })
  server.start(0, 0.75)
  server.clock.advance(1)
  t.equal(guest.advice, closeTimeout)
  server.clock.advance(closeTimeout)
  t.strictSame(server.ended, ['0 shutdown'])
  t.equal(await server.timeLeft(), 0)
})

t.test('closes clients that were advised early while others have their turns', async (t) => {
  const server = new FakeServer()
  server.add(60, { counts: true })
  server.start(0, 60_000)
  server.clock.advance(30_000)
  // One in each second, and closeTimeout later its close.
  t.ok(Math.abs(server.ended.length - 25) <= 1, `${server.ended.length}`)
})

t.test('gives clients that are away the last turns, unless they come back', async (t) => {
  const server = new FakeServer()
  const away = server.add(10, { away: true, counts: true })
  server.add(10)
  server.start(0, 2000)
  server.clock.advance(1101)
  t.equal(server.ended.length, 11)
  t.equal(away.filter(({ isOpen }) => isOpen).length, 9)
  const back = away.find(({ isOpen }) => isOpen)!
  back.transport.away = undefined
  away.filter(({ isOpen }) => isOpen).at(-1)!.leave()
  server.clock.advance(1000)
  t.ok(back.advice, 'it is advised as others are')
  back.leave()
  t.equal(await server.timeLeft(), 0)
})

t.test('gives no turn to a connection that ends for another reason', async (t) => {
  const server = new FakeServer()
  const [early, late] = server.add(2, { stays: true })
  early.end('killed')
  server.start(0, 1000)
  server.add(9)
  late.end('killed')
  server.clock.advance(500)
  t.ok(server.ended.length >= 2 + 3, `${server.ended.length}`)
  server.clock.advance(500)
  t.equal(server.ended.length, 2 + 9)
  t.notOk(server.isFinished)
  early.leave()
  late.leave()
  t.equal(await server.timeLeft(), 0)
})

t.test('gives a turn to a connection that opens, and closes it at once after all', async (t) => {
  const server = new FakeServer()
  server.pendingUpgrades = 2
  const paced = server.start(1000, 1000)
  t.notOk(paced.refusesClients)
  server.add(1)
  server.clock.advance(1000)
  t.ok(paced.refusesClients)
  server.add(1)
  t.equal(server.ended.length, 0)
  server.clock.advance(1100)
  t.equal(server.ended.length, 2)
  t.notOk(server.isFinished, 'upgrades are pending')
  server.clock.advance(closeTimeout)
  t.equal(server.refusals, 1)
  t.equal(await server.timeLeft(), 0)
  server.add(1)
  t.equal(server.ended.length, 3)
})

t.test('waits closeTimeout for the closing handshakes, and refuses upgrades once', async (t) => {
  const server = new FakeServer()
  server.add(1, { stays: true })
  server.start(300, 1000)
  t.equal(await server.timeLeft(), 300 + 1000 + 2 * closeTimeout)
  t.equal(server.refusals, 1)
  server.add(1)
  t.strictSame(server.ended, ['0 shutdown', '1 shutdown'])
  t.equal(server.clock.runningTimers, 0)
})

t.test('finishes when the last connection is closed', async (t) => {
  const server = new FakeServer()
  const [guest] = server.add(1)
  const paced = server.start(1000, 1000)
  guest.leave()
  await Promise.resolve()
  t.notOk(server.isFinished, 'clients may come until the delay is over')
  server.clock.advance(1001)
  t.equal(await server.timeLeft(), 0)
  paced.finishWithin(0)
  t.equal(server.clock.runningTimers, 0)
})

t.test('brings its end forward, and never puts it off', async (t) => {
  const times = async (changes: Array<readonly [at: number, over: number]>): Promise<number> => {
    const server = new FakeServer()
    server.add(1, { stays: true })
    const paced = server.start(1000, 4000)
    const { time } = server.clock
    for (const [at, over] of changes) {
      server.clock.advance(time + at - server.clock.time)
      paced.finishWithin(over)
    }
    await server.timeLeft()
    return server.clock.time - time - 2 * closeTimeout
  }
  t.equal(await times([]), 5000)
  t.equal(await times([[500, 60_000]]), 5000, 'longer, in the delay')
  t.equal(await times([[500, 1000]]), 1500, 'shorter, in the delay')
  t.equal(await times([[2000, 60_000]]), 5000, 'longer, later')
  t.equal(await times([[2000, 1000], [2500, 3000]]), 3000, 'shorter, later')
  t.equal(await times([[2000, 0]]), 2000, 'at once')
  t.equal(await times([[5000 + closeTimeout, 0]]), 5000, 'when all were told to leave')
})
