// The environment of random histories of one limited client: its targets, its sockets, its end.
import { Rig } from '../../connection/transports/clients.js'
import { ticks } from '../clock.js'
import { SessionClient } from '../park/park-clients.js'
import { equal } from '../suite.js'
import type { Connection } from '../../../lib/connection/connection.js'
import type { RouteSettings } from '../../../lib/registration/options.js'
import type { RelayLimit } from '../../../types/messages.js'
import type { Story } from '../connections/connection-bench.js'
import type { Step } from './limits-steps.js'

/** The limits of a history, with the tokens that each bucket holds, and gets in a millisecond. */
export const limits = {
  slow: { limit: { messages: '20/s' }, messages: [20, 0.02], bytes: [Infinity, 0] },
  bytes: { limit: { bytes: '200B/s', burst: 2 }, messages: [Infinity, 0], bytes: [400, 0.2] },
  both: {
    limit: { messages: '600/m', bytes: '100B/s', burst: 0.5 }, messages: [5, 0.01], bytes: [50, 0.1]
  },
  none: { limit: null, messages: [Infinity, 0], bytes: [Infinity, 0] }
} as const satisfies Record<string, {
  readonly limit: RelayLimit | null
  readonly messages: readonly [number, number]
  readonly bytes: readonly [number, number]
}>

export type LimitName = keyof typeof limits

/** Deadlines are rounded up by at most so many milliseconds. */
const lateness = 300

/** A bucket with an account that is brought up to date again and again, unlike the real one. */
class Account {
  /** Tokens that are missing from a full bucket. */
  #missing = 0
  #at: number

  constructor (now: number) {
    this.#at = now
  }

  update (now: number, rate: number): void {
    if (rate > 0) this.#missing = Math.max(0, this.#missing - (now - this.#at) * rate)
    this.#at = now
  }

  mayTake (capacity: number): boolean {
    return capacity - this.#missing >= 1 - 1e-3
  }

  take (tokens: number): void {
    this.#missing += tokens
  }
}

export class LimitsBench {
  readonly rig = new Rig({ resume: { window: '1h' }, pingInterval: 0 })
  readonly targets: readonly Story[] = [this.rig.target(), this.rig.target()]
  readonly #client: SessionClient
  readonly #connection: Connection
  readonly #name: LimitName
  readonly #messages: Account
  readonly #bytes: Account
  #sent = 0
  #delivered = 0
  /** No message of the present socket was delivered. A session reads one in any case. */
  #isFreshSocket = true
  #expiresAt = Infinity

  constructor (name: LimitName) {
    const { rig } = this
    this.#name = name
    this.#messages = new Account(rig.clock.time)
    this.#bytes = new Account(rig.clock.time)
    this.#client = new SessionClient(rig.relay, rig.settings as RouteSettings)
    const { limit } = limits[name]
    const connection = this.#connection = rig.connect(
      this.targets[0], this.#client.transport, limit === null ? {} : { limit }
    )
    this.#client.open(connection.pid)
    const { onMessage } = connection
    connection.onMessage = (message, bytes) => {
      this.#judge(message)
      return onMessage.call(connection, message, bytes)
    }
  }

  /** Each message is delivered once, in order, and not before the limit allows it. */
  #judge (message: Buffer | string): void {
    const [number] = message.toString().split(' ')
    equal(Number(number), this.#delivered++, 'the order of messages')
    const { messages, bytes } = limits[this.#name]
    const now = this.rig.clock.time
    this.#messages.update(now, messages[1])
    this.#bytes.update(now, bytes[1])
    const mayBe = this.#messages.mayTake(messages[0]) && this.#bytes.mayTake(bytes[0])
    if (this.#connection.isOpen) equal(mayBe || this.#isFreshSocket, true, 'a message too early')
    this.#isFreshSocket = false
    this.#messages.take(1)
    this.#bytes.take(Buffer.byteLength(message))
  }

  do (step: Step): void {
    const { rig } = this
    if (step.do === 'time') return rig.clock.advance(step.ms)
    if (step.do === 'hold') return this.targets[step.target].hold()
    if (step.do === 'release') return this.targets[step.target].release()
    if (!this.#connection.isOpen) return
    switch (step.do) {
      case 'send': return this.#send(step.count, step.size)
      case 'lose':
        if (this.#client.isConnected && this.#client.maySend) this.#client.lose()
        return
      case 'come back': return this.#comeBack()
      case 'transfer': return this.#control({ target_pid: this.targets[step.target].pid })
      case 'same limit': return this.#control({ limit: limits[this.#name].limit })
      case 'expire':
        this.#expiresAt = step.ms === null ? Infinity : rig.clock.time + step.ms
        return this.#control({ expires_in: step.ms })
    }
  }

  #send (count: number, size: number): void {
    if (!this.#client.maySend) return
    for (let i = 0; i < count; i++) this.#client.send(`${this.#sent++} ${'x'.repeat(size)}`)
  }

  #comeBack (): void {
    if (this.#client.isConnected) return
    this.#client.comeBack(false)
    this.#isFreshSocket = true
  }

  #control (change: object): void {
    equal(this.rig.processes.send(this.#connection.pid, 'ws.control', change), true, 'a control')
  }

  async settle (): Promise<void> {
    for (let i = 0; i < 4; i++) {
      if (this.#connection.isOpen) this.#client.move()
      await ticks()
      this.rig.clock.run()
      this.rig.clock.yieldOnce()
    }
    await ticks()
  }

  /** Called after each step. */
  check (): void {
    const { time } = this.rig.clock
    const { isOpen } = this.#connection
    if (isOpen) {
      equal(time <= this.#expiresAt + lateness, true, 'a connection that has expired')
      return
    }
    equal(time >= this.#expiresAt, true, 'a connection that has ended too early')
    // Closing handshakes, and a notice for the client that is away.
    const { deadlines, connections, sessions } = this.rig.relay
    const most = connections.size + sessions.tombstoneCount
    equal(deadlines.size <= most, true, 'deadlines of a connection that has ended')
  }

  /** With time, and targets that work, everything arrives, and nothing remains. */
  async rest (): Promise<void> {
    for (const target of this.targets) target.release()
    if (this.#connection.isOpen) {
      // Long after everything has arrived.
      this.#control({ expires_in: '1h' })
      this.#expiresAt = Infinity
      this.#comeBack()
    }
    for (let i = 0; i < 3000 && this.#delivered < this.#sent && this.#connection.isOpen; i++) {
      this.rig.clock.advance(50)
      await this.settle()
    }
    for (let i = 0; i < 20; i++) {
      this.rig.clock.advance(500)
      await this.settle()
    }
    if (this.#connection.isOpen) {
      equal(this.#delivered, this.#sent, 'messages that arrive')
      const { paused, limited } = this.#connection.describe()
      equal(paused || limited, false, 'a client that is not read for ever')
      equal(this.rig.relay.deadlines.size, 1, 'deadlines, but for that of its end')
    }
    const mail = this.targets.flatMap(({ mail }) => mail)
    equal(mail.filter(({ topic }) => topic === 'ws.message').length, this.#delivered, 'mail')
    this.rig.processes.exit(this.#connection.pid, 'kill')
    this.#client.lose()
    await this.settle()
    const { deadlines, sessions } = this.rig.relay
    equal(deadlines.size, sessions.tombstoneCount, 'deadlines of a connection that was killed')
    this.rig.clock.advance(2 * 3_600_000)
    await this.settle()
    equal(deadlines.size, 0, 'deadlines that remain')
  }
}
