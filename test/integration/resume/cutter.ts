import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { reset } from './wire-client.js'
import type { AddressInfo, Socket } from 'node:net'
import type { Closing } from './wire-client.js'

/** One connection of a client, and the one to the server that belongs to it. */
class Pair {
  /** Bytes of both directions until both are cut. */
  left = Infinity
  readonly #client: Socket
  readonly #server: Socket
  /** Bytes that wait while nothing passes, with their destination. */
  #held: Array<{ bytes: Buffer, to: Socket }> | undefined

  constructor (client: Socket, server: Socket, onEnd: () => void) {
    this.#client = client
    this.#server = server
    for (const [from, to] of [[client, server], [server, client]]) {
      from.on('data', (bytes) => { this.#pass(bytes, to) })
      from.on('end', () => { if (this.#held === undefined) to.end() })
      from.on('error', () => {})
      from.on('close', () => {
        to.destroy()
        onEnd()
      })
    }
  }

  get isFrozen (): boolean {
    return this.#held !== undefined
  }

  freeze (): void {
    this.#held ??= []
  }

  thaw (): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const { bytes, to } of held) this.#pass(bytes, to)
  }

  cut (): void {
    reset(this.#client)
    reset(this.#server)
  }

  #pass (bytes: Buffer, to: Socket): void {
    if (to.destroyed) return
    if (this.#held !== undefined) {
      this.#held.push({ bytes, to })
      return
    }
    const passed = bytes.subarray(0, this.left)
    this.left -= passed.length
    if (passed.length > 0) to.write(passed)
    if (this.left === 0) this.cut()
  }
}

/** A proxy between clients and a server, which cuts connections after any byte. */
export class Cutter {
  readonly port: number
  /** Connections so far. */
  count = 0
  readonly #pairs = new Set<Pair>()
  #latest: Pair | undefined
  #nextLeft = Infinity

  private constructor (port: number) {
    this.port = port
  }

  static async to (t: Closing, target: number): Promise<Cutter> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const cutter = new Cutter((server.address() as AddressInfo).port)
    const toServer = { port: target, host: '127.0.0.1', noDelay: true }
    server.on('connection', (client) => { cutter.#join(client, connect(toServer)) })
    t.teardown(() => {
      cutter.cut()
      server.close()
    })
    return cutter
  }

  /** Cuts the latest connection after so many further bytes of both directions. */
  cutAfter (bytes: number): void {
    if (this.#latest !== undefined) this.#latest.left = Math.max(1, bytes)
  }

  /** The next connection is cut after so many bytes of both directions. */
  limitNext (bytes: number): void {
    this.#nextLeft = bytes
  }

  /** Whether nothing passes the latest connection. Both ends take it for open. */
  get isFrozen (): boolean {
    return this.#latest?.isFrozen === true
  }

  freeze (): void {
    this.#latest?.freeze()
  }

  /** Bytes that were held pass, on all connections. */
  thaw (): void {
    for (const pair of this.#pairs) pair.thaw()
  }

  cut (): void {
    for (const pair of this.#pairs) pair.cut()
  }

  #join (client: Socket, server: Socket): void {
    this.count++
    const pair = new Pair(client, server, () => { this.#pairs.delete(pair) })
    pair.left = this.#nextLeft
    this.#nextLeft = Infinity
    this.#pairs.add(pair)
    this.#latest = pair
  }
}
