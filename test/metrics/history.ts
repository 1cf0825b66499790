// A history of which every number is known: it is played on a server, and its figures are compared
// with `stats()` and with the metrics.
import { once } from 'node:events'
import { connect } from 'node:net'
import { build, frame, handshake, listen, record, until } from '../helpers.js'
import { closeOf, frameOf } from '../client-frames.js'
import { WireClient } from '../integration/resume/wire-client.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Socket } from 'node:net'
import type { Pid } from '../../types/pid.js'
import type { WsRelayOptions } from '../../types/relay.js'

/** A raw client, which knows how many bytes it has exchanged after its handshake. */
class Client {
  readonly #socket: Socket
  #read = 0
  #written = 0
  #head: string | undefined = ''
  #changed = (): void => {}

  constructor (socket: Socket) {
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => {
      if (this.#head !== undefined) {
        this.#head += bytes.toString('latin1')
        const end = this.#head.indexOf('\r\n\r\n')
        if (end === -1) return
        this.#read += this.#head.length - end - 4
        this.#head = undefined
      } else this.#read += bytes.length
      this.#changed()
    })
    socket.on('end', () => { socket.end() })
  }

  static async open (t: Test, port: number, path: string): Promise<Client> {
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => { socket.destroy() })
    socket.write(handshake(path))
    const client = new Client(socket)
    while (client.#head !== undefined) await once(socket, 'data')
    return client
  }

  write (bytes: Buffer): void {
    this.#written += bytes.length
    this.#socket.write(bytes)
  }

  /** Resolves when it has read this many bytes in all. */
  async hasRead (bytes: number): Promise<void> {
    while (this.#read < bytes) await new Promise<void>((resolve) => { this.#changed = resolve })
  }

  async closed (): Promise<void> {
    if (!this.#socket.closed) await once(this.#socket, 'close')
  }

  get bytes (): { read: number, written: number } {
    return { read: this.#read, written: this.#written }
  }
}

export interface History {
  readonly app: FastifyInstance
  readonly port: number
  /** The bytes of all clients. */
  readonly bytes: { readonly read: number, readonly written: number }
  readonly paused: Pid
  /** Lets the process with the full mailbox go on. */
  release (): void
}

/**
 * Plays the history. In the end one client is paused, one is suspended, and one is open.
 *
 * | what | figures |
 * | --- | --- |
 * | two upgrades are refused | by the application, for the origin |
 * | an upgrade is abandoned | |
 * | a client says hello, and closes with 1000 | 1 message each way |
 * | a client floods a process that does not read | paused |
 * | a client breaks the protocol | closed with 1002 |
 * | a client says a, resumes, and goes away again | 1 message each way, suspended |
 * | another client cannot resume | refused |
 * | a supervisor restarts a child twice and gives up | |
 * | three messages are refused, three are dead letters | |
 */
export async function play (t: Test, options: WsRelayOptions = {}): Promise<History> {
  const app = await build(t, { resume: true, mailboxLimit: 8, ...options })
  const { processes } = app
  const echo = record(app)
  let release = (): void => {}
  const busy = processes.spawn(async function busy (self) {
    await new Promise<void>((resolve) => { release = resolve })
    await self.serve({}, () => {})
  })
  // It reads no mail until the test is over, and would delay the close of the server.
  t.teardown(() => { release() })
  app.get('/echo', (request, reply) => { reply.relay(echo.pid).send() })
  app.get('/busy', (request, reply) => { reply.relay(busy).send() })
  app.get('/closed', (request, reply) => { reply.code(401).send() })
  let arrived = (): void => {}
  app.get('/slow', () => new Promise(() => { arrived() }))
  const port = await listen(app)
  const clients: Client[] = []
  const open = async (path: string): Promise<Client> => {
    const client = await Client.open(t, port, path)
    clients.push(client)
    return client
  }

  await refused(port, handshake('/closed'))
  await refused(port, handshake('/echo', { origin: 'https://other.example' }))
  const leaves = connect(port, '127.0.0.1')
  await new Promise<void>((resolve) => {
    arrived = resolve
    leaves.write(handshake('/slow'))
  })
  leaves.destroy()
  await until(() => processes.stats().upgrades.abandoned === 1)

  const first = await open('/echo')
  first.write(frame('hello'))
  await first.hasRead(7)
  first.write(closeOf(1000))
  await first.closed()
  await echo.next('ws.leave')

  const flooding = await open('/busy')
  // They fill 75 % of the mailbox, with the `ws.join`.
  for (let i = 0; i < 5; i++) flooding.write(frame('x'))
  const paused = processes.list().find((pid) => processes.info(pid)?.kind === 'ws')!
  await until(() => processes.info(paused)!.paused === true)

  const broken = await open('/echo')
  broken.write(frameOf(3, 'x', { mask: 1 }))
  await broken.hasRead(1)
  broken.write(closeOf(1002))
  await broken.closed()

  const bytesOf = { read: 0, written: 0 }
  const session = new WireClient(t, { port, path: '/echo' })
  await session.connect()
  // A session without a message does not outlive its socket.
  session.send('a')
  await session.until(() => session.received.length === 1)
  bytesOf.written += 7
  count(bytesOf, session)
  await session.cut()
  const isSuspended = (): boolean => processes.stats().connections.suspended === 1
  await until(isSuspended)
  await session.connect()
  count(bytesOf, session)
  const stranger = new WireClient(t, { port, path: '/echo' })
  await stranger.connect({ token: 'nonsense', received: 0 })
  count(bytesOf, stranger)
  await session.cut()
  await until(isSuspended)

  await fail(app)
  processes.send('nobody', 'hello')
  processes.send(echo.pid, 'hello')
  await echo.next('hello')
  return {
    app,
    port,
    paused,
    release: () => { release() },
    get bytes () {
      const sum = { ...bytesOf }
      for (const { bytes } of clients) {
        sum.read += bytes.read
        sum.written += bytes.written
      }
      return sum
    }
  }
}

/** Adds the bytes that the present socket of a session has received so far. */
function count (sum: { read: number, written: number }, { wire }: WireClient): void {
  sum.read += wire.socket.bytesRead - wire.head.length - 2
}

async function refused (port: number, request: string): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.resume()
  socket.write(request)
  await once(socket, 'data')
  socket.destroy()
}

/** A supervisor gives up, a process ends with mail, and a mailbox is full. */
async function fail ({ processes }: FastifyInstance): Promise<void> {
  const { pid } = processes.supervise({
    maxRestarts: 2,
    children: [{ id: 'broken', start: function broken () { throw new Error('broken') } }]
  })
  await processes.exited(pid)
  const full = processes.spawn((self) => self.receive({ topic: 'never' }), { mailboxLimit: 2 })
  for (let i = 0; i < 5; i++) processes.send(full, 'x')
  processes.exit(full, 'full')
}
