// Real clients of a server that is drained, closed and started again on the same port. Half of them
// are clients of the package, the others are bare WebSockets that open another one by themselves.
import WebSocket from 'ws'
import { connect } from '../../../lib/client/index.js'
import { build } from '../../helpers.js'
import { pause, until } from '../../laps.js'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { DrainOptions } from '../../../types/options.js'

export interface Restart {
  /** Clients, an even number. */
  readonly count: number
  readonly drain: DrainOptions
  /** Milliseconds. */
  readonly closeTimeout: number
  /** Milliseconds between two messages of a client. */
  readonly interval: number
}

/** A client, and everything that is known about its messages. */
abstract class Visitor {
  readonly id: number
  readonly received: string[] = []
  /** Messages that the server has taken. */
  readonly taken: string[] = []
  /** Answers that the server has accepted for the client. */
  readonly answered: string[] = []
  /** The servers that it has joined. */
  readonly joined = new Set<FastifyInstance>()
  protected next = 0

  constructor (id: number) {
    this.id = id
  }

  abstract send (): void
  abstract close (): void
}

/** A client of the package. */
class Counting extends Visitor {
  readonly sent: string[] = []
  /** Messages that it was told may not have arrived. */
  readonly unsent: unknown[] = []
  readonly resets: unknown[] = []
  /** It gave up its socket before the server closed it, and may have missed answers. */
  isImpatient = false
  readonly socket: ReturnType<typeof connect>

  constructor (id: number, url: string) {
    super(id)
    this.socket = connect(url, {
      WebSocket: WebSocket as never, backoff: { min: 20, max: 500 }
    })
    this.socket.on('message', (data) => { this.received.push(String(data)) })
    this.socket.on('reset', ({ why, unsent }) => {
      this.resets.push(why)
      this.unsent.push(...unsent)
    })
    this.socket.on('state', ({ reason }) => { this.isImpatient ||= reason === 'moved' })
  }

  send (): void {
    const text = String(this.next++)
    if (this.socket.send(text)) this.sent.push(text)
  }

  close (): void {
    this.socket.close()
  }
}

class Bare extends Visitor {
  readonly closes: string[] = []
  readonly #url: string
  #socket!: WebSocket
  #isOver = false

  constructor (id: number, url: string) {
    super(id)
    this.#url = url
    this.#open()
  }

  #open (): void {
    if (this.#isOver) return
    this.#socket = new WebSocket(this.#url)
    this.#socket.on('error', () => {})
    this.#socket.on('message', (data) => { this.received.push(String(data)) })
    this.#socket.on('close', (code, reason) => {
      // 1006: a server that refuses, or that does not listen.
      if (code !== 1006) this.closes.push(`${code} ${String(reason)}`)
      setTimeout(() => { this.#open() }, 20 + Math.random() * 480)
    })
  }

  send (): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(String(this.next++))
  }

  close (): void {
    this.#isOver = true
    this.#socket.terminate()
  }
}

/** Asks for a plain page again and again, until `ended` resolves. @returns the statuses */
async function pollPlain (port: number, ended: Promise<void>): Promise<Set<number>> {
  const statuses = new Set<number>()
  const over = ended.then(() => true)
  do {
    const { status } = await fetch(`http://127.0.0.1:${port}/plain`)
    statuses.add(status)
  } while (!await Promise.race([over, pause().then(() => false)]))
  return statuses
}

/** Checks a restart. No client may lose a message that was accepted, unless it is told. */
export async function checkRestart (t: Test, options: Restart): Promise<void> {
  const { count, drain, closeTimeout, interval } = options
  const visitors: Visitor[] = []
  const start = async (port: number): Promise<FastifyInstance> => {
    const app = await build(t, { resume: true, closeTimeout })
    const target = app.processes.spawn((self) => self.serve({
      'ws.join': ({ metadata }) => { visitors[Number(metadata.id)].joined.add(app) },
      'ws.message': ({ client_pid: pid, data, metadata }) => {
        const { taken, answered } = visitors[Number(metadata.id)]
        taken.push(String(data))
        if (self.send(pid, 'ws.send', { data: String(data) })) answered.push(String(data))
      }
    }))
    app.get('/ws/:id', (request, reply) => {
      reply.relay(target, { metadata: request.params as { id: string } }).send()
    })
    app.get('/plain', async () => 'plain')
    await app.listen({ port, host: '127.0.0.1' })
    return app
  }
  const first = await start(0)
  const { port } = first.server.address() as AddressInfo
  for (let id = 0; id < count; id++) {
    const url = `ws://127.0.0.1:${port}/ws/${id}`
    visitors.push(id % 2 === 0 ? new Counting(id, url) : new Bare(id, url))
  }
  const counting = visitors.filter((visitor) => visitor instanceof Counting)
  const bare = visitors.filter((visitor) => visitor instanceof Bare)
  t.teardown(() => { for (const visitor of visitors) visitor.close() })
  const sending = setInterval(() => { for (const visitor of visitors) visitor.send() }, interval)
  t.teardown(() => { clearInterval(sending) })
  await until(() => visitors.every(({ received }) => received.length > 0))

  const drained = first.processes.drain(drain)
  const polled = pollPlain(port, drained)
  await drained
  t.equal(first.processes.stats().connections?.open, 0)
  t.match(first.processes.health(), { problem: 'draining' })
  t.strictSame(await polled, new Set([200]), 'plain HTTP is answered until app.close()')
  await first.close()
  t.strictSame(new Set(bare.flatMap(({ closes }) => closes)), new Set(['1001 server shutting down']))

  const second = await start(port)
  await until(() => visitors.every(({ joined }) => joined.has(second)))
  const before = visitors.map(({ taken }) => taken.length)
  await until(() => visitors.every(({ taken }, i) => taken.length > before[i]))
  clearInterval(sending)
  await Promise.all(counting.map(({ socket }) => socket.delivered()))
  // A machine that stood still for half a second may make a client impatient.
  const patient = visitors.filter((each) => !(each instanceof Counting && each.isImpatient))
  await until(() => patient.every(({ received, answered }) => received.length >= answered.length))
  for (const { id, received, answered } of patient) {
    t.strictSame(received, answered, `client ${id} has each answer once and in order`)
  }
  for (const { id, sent, taken, unsent, resets } of counting) {
    t.strictSame(resets, ['node'], `client ${id} has one new session`)
    const known = new Set([...taken, ...unsent])
    t.strictSame(sent.filter((text) => !known.has(text)), [], `client ${id} has lost nothing`)
    const order = taken.map(Number)
    t.ok(order.every((n, i) => i === 0 || n > order[i - 1]), `client ${id} is served in order`)
  }
}
