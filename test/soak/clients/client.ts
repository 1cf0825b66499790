import WebSocket from 'ws'
import { dataOf } from '../content.js'
import { readings, type Reading } from './readings.js'
import type { Socket } from 'node:net'
import type { Problems } from '../rig/problems.js'

/** The ways in which a client can disconnect. */
export type Departure = 'close' | 'reset'

/** A client with `ws`, which is another implementation than the one under test. */
export class Client {
  readonly id: number
  readonly reading: Reading
  readonly opened: Promise<void>
  /** The close code after the end; 1006 without a close frame. */
  readonly over: Promise<number>
  sent = 0
  pings = 0
  code: number | undefined
  readonly #socket: WebSocket
  readonly #problems: Problems
  #tcp: Socket | undefined
  #leaving = false

  /** @param onRead called after each message was checked */
  constructor (
    id: number,
    url: string,
    reading: keyof typeof readings,
    problems: Problems,
    onRead: (client: Client) => void
  ) {
    this.id = id
    this.reading = readings[reading](id)
    this.#problems = problems
    const socket = (this.#socket = new WebSocket(url, { perMessageDeflate: false }))
    this.opened = new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    this.over = new Promise((resolve) => {
      socket.once('close', (code) => {
        this.code = code
        resolve(code)
      })
    })
    socket.on('upgrade', (response) => {
      this.#tcp = response.socket
    })
    socket.on('error', (err) => {
      if (!this.#leaving) problems.add(`client ${id}: ${err.message}`)
    })
    socket.on('ping', () => {
      this.pings++
    })
    socket.on('message', (data, binary) => {
      const problem = this.reading.take(data as Buffer, binary)
      if (problem !== undefined) problems.add(problem)
      onRead(this)
    })
  }

  get isOpen (): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  /** Sends its next message. */
  say (): void {
    const n = this.sent++
    this.reading.sent(n)
    this.#socket.send(dataOf(this.id, n), (err) => {
      if (err != null && !this.#leaving) {
        this.#problems.add(`client ${this.id}: message ${n} was not sent: ${err.message}`)
      }
    })
  }

  /** From now on the loss of the connection is expected, and no problem. */
  expectsEnd (): void {
    this.#leaving = true
  }

  leave (departure: Departure): void {
    this.#leaving = true
    if (departure === 'close') this.#socket.close(1000, 'done')
    else this.#tcp!.resetAndDestroy()
  }

  /** Stops reading: the buffers of the kernel fill, and then those of the server. */
  stopReading (): void {
    this.#socket.pause()
  }

  readOn (): void {
    this.#socket.resume()
  }
}
