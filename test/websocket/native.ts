// Ways to send on many sockets at once: one in JavaScript, for tests on every machine, and the
// compiled one.
import { writeSync } from 'node:fs'
import { once } from 'node:events'
import { constants } from 'node:os'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { getSystemErrorName } from 'node:util'
import { DeadlineTimer } from '../../lib/shared/deadline-timer.js'
import { nodeClock } from '../../lib/shared/clock.js'
import { NativeBatch } from '../../lib/websocket/native-batch.js'
import { Flusher } from '../../lib/websocket/sender.js'
import { root } from '../program.js'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { SendMany } from '../../lib/websocket/native.js'
import type { WebSocketServer } from '../../lib/websocket/transport.js'

/** Does what the compiled one does. The sockets are nonblocking already. */
export const sendManyInScript: SendMany = (entries, count, bytes) => {
  for (let i = 0; i < count * 3; i += 3) {
    const [fd, offset, length] = entries.subarray(i, i + 3)
    try {
      entries[i + 2] = writeSync(fd, bytes, offset, length)
    } catch (err) {
      entries[i + 2] = -constants.errno[(err as { code: 'EAGAIN' }).code]
    }
  }
}

const packageName = 'fastify-ws-relay-native'

/** The compiled one; undefined if it was not compiled. `scripts/build-native.mjs` does. */
export async function compiledSendMany (): Promise<SendMany | undefined> {
  try {
    return ((await import(packageName)) as { sendMany: SendMany }).sendMany
  } catch {
    return undefined
  }
}

interface Binary {
  readonly sendMany: SendMany
  /** @returns 0, or an errno */
  openRing (): number
}

/** As the compiled one, by io_uring. @returns a string that says why it cannot be used here */
export async function sendManyByRing (): Promise<SendMany | string> {
  if (await compiledSendMany() === undefined) return notCompiled
  const { loadBinary } = await import(join(root, 'native/binary.js')) as {
    loadBinary (): Binary
  }
  const { sendMany, openRing } = loadBinary()
  const errno = openRing()
  return errno === 0 ? sendMany : `io_uring cannot be used: ${getSystemErrorName(-errno)}`
}

/** With `CI` set, a missing compiler is no error, because it is none for users. */
export const notCompiled = 'the native sender is not compiled: run node scripts/build-native.mjs'

export function batchedServer (sendMany: SendMany): WebSocketServer {
  const flusher = new Flusher(nodeClock)
  flusher.batch = new NativeBatch(sendMany)
  return {
    flusher,
    deadlines: new DeadlineTimer(nodeClock),
    options: { pingInterval: 0, pongTimeout: 0, closeTimeout: 1000 }
  }
}

/** A server of TCP, closed with the test, with connected pairs of sockets. */
export class Pairs {
  readonly #server: Server = createServer()

  static async open (t: { teardown (task: () => void): void }): Promise<Pairs> {
    const pairs = new Pairs()
    pairs.#server.listen(0, '127.0.0.1')
    await once(pairs.#server, 'listening')
    t.teardown(() => { pairs.#server.close() })
    return pairs
  }

  /** One at a time. @returns the socket of the server, and that of its client */
  async connect (): Promise<{ socket: Socket, client: Socket }> {
    const { port } = this.#server.address() as AddressInfo
    const client = connect({ port, host: '127.0.0.1' })
    const [[socket]] = await Promise.all([
      once(this.#server, 'connection') as Promise<[Socket]>, once(client, 'connect')
    ])
    for (const one of [socket, client]) one.on('error', () => {})
    return { socket, client }
  }
}
