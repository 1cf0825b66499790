import { Client, protocols, type Listener, type Protocol } from './client.js'
import { maskedFrame } from './frames.js'

/** The connections of a crowd, and their messages. */
export interface CrowdSpec {
  port: number
  /** The ports of several servers, used in turns instead of `port`. */
  ports?: readonly number[]
  protocol: keyof typeof protocols
  /** The bytes of a message. */
  size: number
  /** Undefined when every client talks to itself (`/echo`). */
  rooms?: number
}

/** The number of concurrent handshakes. */
const mostUnfinished = 128
const openTimeout = 30_000
const closeTimeout = 3000

/** The clients of one measurement. The first problem of any of them fails it. */
export class Crowd {
  readonly clients: Client[] = []
  /** Rejects with the first problem. */
  readonly failure: Promise<never>
  readonly #spec: CrowdSpec
  readonly #protocol: Protocol
  readonly #expected: number
  readonly #letters: string
  readonly #listener: Listener
  #messages = 0
  #fail!: (error: Error) => void

  /**
   * @param answered called with the number of messages that a client received
   * @param opened called when a client may send
   */
  constructor (
    spec: CrowdSpec,
    answered: Listener['answered'],
    opened: Listener['opened'],
    pinged?: () => void
  ) {
    this.#spec = spec
    this.#protocol = protocols[spec.protocol]
    this.#letters = Array.from({ length: spec.size }, (_, i) =>
      String.fromCharCode(97 + ((i * 7) % 26))
    ).join('')
    this.#expected = this.#protocol.text(this.#letters).length
    this.failure = new Promise((_resolve, reject) => {
      this.#fail = reject
    })
    this.failure.catch(() => {})
    this.#listener = {
      answered,
      opened,
      pinged,
      failed: (_client, problem) => {
        this.#fail(new Error(problem))
      }
    }
  }

  /** Returns a run of different messages, so that a server cannot encode one message for all. */
  burst (count: number): Buffer {
    const { size } = this.#spec
    return Buffer.concat(
      Array.from({ length: count }, () => {
        const number = `${this.#messages++} `.slice(0, size)
        return maskedFrame(this.#protocol.text(number + this.#letters.slice(number.length)))
      })
    )
  }

  /** Opens one more connection. */
  add (): void {
    const { port, ports = [port], rooms } = this.#spec
    const room = this.clients.length % (rooms ?? Infinity)
    const path = this.#protocol.path(rooms === undefined ? undefined : room)
    this.clients.push(
      new Client(
        ports[this.clients.length % ports.length],
        path,
        room,
        this.#protocol,
        this.#expected,
        this.#listener
      )
    )
  }

  /** Awaits a promise. Rejects with the first problem, or after a timeout. */
  async until<T>(awaited: Promise<T>, milliseconds: number, what: string): Promise<T> {
    const timer = setTimeout(() => {
      this.#fail(new Error(`${what} took more than ${milliseconds} ms`))
    }, milliseconds)
    try {
      return await Promise.race([awaited, this.failure])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Throws when a client received an unexpected frame. */
  check (): void {
    const wrong = this.clients.reduce((sum, client) => sum + client.wrong, 0)
    if (wrong > 0) throw new Error(`${wrong} messages were not what was expected`)
  }

  async close (): Promise<void> {
    this.check()
    const closed = this.clients.map(
      (client) =>
        new Promise<void>((resolve) => {
          client.socket.once('close', () => {
            resolve()
          })
          client.close()
        })
    )
    const cut = setTimeout(() => {
      for (const client of this.clients) client.socket.destroy()
    }, closeTimeout)
    await Promise.all(closed)
    clearTimeout(cut)
  }
}

/**
 * Opens a crowd of `count` connections.
 *
 * @param answered called for received messages once all connections are open
 */
export async function gather (
  spec: CrowdSpec,
  count: number,
  answered: Listener['answered'],
  pinged?: () => void
): Promise<Crowd> {
  let open = 0
  let done!: () => void
  const all = new Promise<void>((resolve) => {
    done = resolve
  })
  const crowd = new Crowd(
    spec,
    answered,
    () => {
      if (++open === count) done()
      else if (crowd.clients.length < count) crowd.add()
    },
    pinged
  )
  while (crowd.clients.length < Math.min(count, mostUnfinished)) crowd.add()
  await crowd.until(all, openTimeout, 'connecting')
  return crowd
}
