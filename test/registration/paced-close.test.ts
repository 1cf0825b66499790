import t from 'tap'
import fc from 'fast-check'
import { PacedClose } from '../../lib/registration/paced-close.js'
import { ManualClock } from '../properties/clock.js'
import type { OpenConnection } from '../../lib/connection/relay-server.js'
import type { PacedServer } from '../../lib/registration/paced-close.js'

const closeTimeout = 5000

interface Changes { away?: boolean, counts?: boolean, stays?: boolean }

/** A connection as a paced close sees it. */
class Guest implements OpenConnection {
  readonly name: number
  readonly transport: OpenConnection['transport'] & { away: number | undefined }
  isOpen = true
  /** Milliseconds that it was given to leave. */
  advice: number | undefined
  readonly #server: FakeServer
  readonly #stays: boolean

  constructor (server: FakeServer, name: number, { away, counts, stays = false }: Changes) {
    this.#server = server
    this.#stays = stays
    this.name = name
    this.transport = {
      away: away === true ? 1 : undefined,
      ...counts === true && {
        adviseReconnect: (by) => {
          if (this.transport.away === undefined) this.advice = by
          return this.transport.away === undefined
        }
      }
    }
  }

  end (reason: string): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#server.ended.push(`${this.name} ${reason}`)
    if (!this.#stays) this.leave()
  }

  leave (): void {
    this.isOpen = false
    this.#server.connections.delete(this)
    this.#server.paced?.connectionClosed(this)
  }
}

class FakeServer implements PacedServer {
  readonly clock = new ManualClock()
  readonly closeTimeout = closeTimeout
  readonly connections = new Set<OpenConnection>()
  readonly ended: string[] = []
  pendingUpgrades = 0
  refusals = 0
  paced: PacedClose | undefined
  isFinished = false

  add (count: number, changes: Changes = {}): Guest[] {
    return Array.from({ length: count }, () => {
      const guest = new Guest(this, this.connections.size, changes)
      this.connections.add(guest)
      this.paced?.connectionOpened(guest)
      return guest
    })
  }

  start (delay: number, over: number): PacedClose {
    this.paced = new PacedClose(this, { delay, over })
    this.paced.finished.then(() => { this.isFinished = true }, t.threw)
    return this.paced
  }

  refusePendingUpgrades (): void {
    this.refusals++
    this.pendingUpgrades = 0
  }

  /** Milliseconds until it has finished. */
  async timeLeft (): Promise<number> {
    const { time } = this.clock
    for (let i = 0; i < 20_000; i++) {
      await Promise.resolve()
      if (this.isFinished) return this.clock.time - time
      this.clock.advance(1)
    }
    return Infinity
  }
}

t.test('is within one connection of the mean at every 100 ms', async (t) => {
  const schedules = fc.record({
    over: fc.integer({ min: 1, max: 60_000 }),
    /** Connections in a second. */
    density: fc.double({ min: 0, max: 10_000, noNaN: true }),
    delay: fc.nat(5000)
  })
  fc.assert(fc.property(schedules, ({ over, density, delay }) => {
    const count = Math.min(3000, Math.floor(density * over / 1000))
    const server = new FakeServer()
    server.add(count)
    server.start(delay, over)
    server.clock.advance(delay)
    if (server.ended.length > 0) throw new Error('a turn within the delay')
    for (let passed = 1; passed < over; passed += 100) {
      server.clock.advance(passed === 1 ? 1 : 100)
      const mean = count * passed / over
      const distance = Math.abs(server.ended.length - mean)
      if (distance > 1.000001) throw new Error(`${distance} from the mean after ${passed} ms`)
    }
    server.clock.advance(101)
    if (server.ended.length !== count) throw new Error(`${server.ended.length} of ${count}`)
    if (count > 0 && server.clock.runningTimers > 0) throw new Error('a timer is left')
  }), { numRuns: 60 })
  t.pass()
})

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
