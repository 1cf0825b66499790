import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { Test } from 'tap'

/** A proxy between clients and a server, which cuts connections after any byte. */
export class Cutter {
  readonly port: number
  /** Connections so far. */
  count = 0
  #pairs = new Set<[Socket, Socket]>()
  /** Bytes of both directions until all connections are cut; undefined: never. */
  #left: number | undefined

  private constructor (port: number) {
    this.port = port
  }

  static async to (t: Test, target: number): Promise<Cutter> {
    const server = createServer({ allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const cutter = new Cutter((server.address() as AddressInfo).port)
    server.on('connection', (client) => { cutter.#join(client, connect(target, '127.0.0.1')) })
    t.teardown(() => {
      cutter.cut()
      server.close()
    })
    return cutter
  }

  /** Cuts all connections after this many further bytes. */
  cutAfter (bytes: number): void {
    this.#left = bytes
  }

  cut (): void {
    this.#left = undefined
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy()
    this.#pairs.clear()
  }

  #join (client: Socket, server: Socket): void {
    this.count++
    const pair: [Socket, Socket] = [client, server]
    this.#pairs.add(pair)
    for (const [from, to] of [[client, server], [server, client]]) {
      from.on('data', (bytes) => { this.#pass(bytes, to) })
      from.on('end', () => { to.end() })
      from.on('error', () => {})
      from.on('close', () => {
        to.destroy()
        this.#pairs.delete(pair)
      })
    }
  }

  #pass (bytes: Buffer, to: Socket): void {
    if (this.#left === undefined) {
      to.write(bytes)
      return
    }
    const passed = bytes.subarray(0, this.#left)
    this.#left -= passed.length
    if (passed.length > 0) to.write(passed)
    if (this.#left === 0) this.cut()
  }
}
