// Rooms with keys on a real server, visitors that come and go, and rooms that are killed at random.
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { WebSocket } from 'ws'
import wsRelay from '../../../lib/index.js'
import type { Keyed } from '../../../types/keyed.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'

/** A number from 0 on, below the limit; the same series for the same seed. */
export type Random = (limit: number) => number

interface Orders { crash: undefined, stop: undefined }

/** All rooms of a kind, with the rules that each message must keep. */
export class Rooms {
  readonly keyed: Keyed<Orders>
  /** The first broken rules. */
  readonly problems: string[] = []
  /** Rooms that have handled mail, and messages that they have handled. */
  started = 0
  handled = 0
  /** The process that has handled the last message of a key, and those before it. */
  readonly #takers = new Map<string, Pid>()
  readonly #former = new Set<Pid>()
  #wake = (): void => {}

  constructor (
    app: FastifyInstance, kind: string,
    limits: { readonly maxRestarts: number, readonly period: number }
  ) {
    const body = (self: Process<Orders>, key: string) => this.#run(self, key)
    this.keyed = app.processes.keyed(kind, { start: body, idle: '100ms', park: '5m', ...limits })
  }

  async #run (self: Process<Orders>, key: string): Promise<void> {
    const last = new Map<Pid, number>()
    this.started++
    await self.serve({
      'ws.join': ({ client_pid }) => {
        this.#take(self, key)
        if (last.has(client_pid)) this.#report(`${key}: two joins of one client`)
        last.set(client_pid, -1)
        self.send(client_pid, 'welcome', self.pid)
      },
      'ws.message': ({ client_pid, data }) => {
        this.#take(self, key)
        const number = Number(data)
        const before = last.get(client_pid)
        if (before === undefined) this.#report(`${key}: a message before its join`)
        else if (number <= before) this.#report(`${key}: ${number} after ${before}`)
        last.set(client_pid, number)
        self.send(client_pid, 'took', number)
        this.handled++
        this.#wake()
      },
      'ws.leave': ({ client_pid }) => { last.delete(client_pid) },
      crash: () => { throw new Error('boom') },
      stop: () => { self.stop() }
    })
  }

  /** Once a process has handled mail of a key, no earlier one does. */
  #take (self: Process<Orders>, key: string): void {
    const taker = this.#takers.get(key)
    if (taker === self.pid) return
    if (this.#former.has(self.pid)) this.#report(`${key}: two processes take mail`)
    if (taker !== undefined) this.#former.add(taker)
    this.#takers.set(key, self.pid)
  }

  #report (problem: string): void {
    if (this.problems.length < 5) this.problems.push(problem)
  }

  /** Ends the process of a key in one of many ways. */
  harm (processes: FastifyInstance['processes'], key: string, random: Random): void {
    const pid = this.keyed.peek(key)
    if (pid === undefined) return
    const ways = [
      () => processes.send(pid, 'crash'),
      () => processes.send(pid, 'stop'),
      () => processes.cancel(pid),
      () => processes.exit(pid, 'kill'),
      () => processes.exit(pid, 'boom')
    ]
    ways[random(ways.length)]()
  }

  /** Resolves when the next message was handled. */
  async progress (): Promise<void> {
    await new Promise<void>((resolve) => { this.#wake = resolve })
  }
}

/** Refusals are allowed where a key fails more often than its kind permits. */
export interface Allowed {
  readonly refusals: boolean
}

/** A client that enters a room, talks, and leaves, again and again. */
export class Visitor {
  readonly problems: string[] = []
  refusals = 0
  visits = 0
  #isLast = false
  #number = 0

  /** Its present visit is the last one: it ends with an answer. */
  finish (): void {
    this.#isLast = true
  }

  async run (url: () => string, random: Random, { refusals }: Allowed): Promise<void> {
    for (;;) {
      const isLast = this.#isLast
      const end = await this.#visit(url(), 1 + random(8))
      if (end === 'left') {
        this.visits++
        if (isLast) return
      } else if (end === 503 || end === 1011 || end === 1013) {
        this.refusals++
        if (!refusals) this.problems.push(`refused with ${end}`)
        await new Promise((resolve) => { setTimeout(resolve, 20) })
      } else if (end !== 1000) this.problems.push(`ended with ${end}`)
      if (this.problems.length > 5) return
    }
  }

  /** @returns `left` after so many answers; otherwise the status or the close code */
  async #visit (url: string, answers: number): Promise<'left' | number> {
    const socket = new WebSocket(url)
    socket.on('error', () => {})
    let left = answers
    const say = (): void => { socket.send(String(++this.#number)) }
    return await new Promise((resolve) => {
      socket.on('unexpected-response', (_request, response) => {
        response.resume()
        resolve(response.statusCode!)
      })
      socket.on('message', (text) => {
        const { topic, data } = JSON.parse(String(text)) as { topic: string, data: unknown }
        // A message to a room that has ended may be lost: after each welcome comes another one.
        if (topic === 'took' && data === this.#number && --left === 0) socket.close(4000)
        else if (topic === 'welcome' || data === this.#number) say()
      })
      socket.on('close', (code) => { resolve(code === 4000 ? 'left' : code) })
    })
  }
}

/** @returns a server with two kinds of rooms, and the URL of a room */
export async function startRooms () {
  const app = Fastify()
  await app.register(wsRelay, { pingInterval: 0, upgradeTimeout: '5m' })
  const steady = new Rooms(app, 'steady', { maxRestarts: 1_000_000, period: 1000 })
  const fragile = new Rooms(app, 'fragile', { maxRestarts: 1, period: 200 })
  app.get<{ Params: { kind: string, key: string } }>('/:kind/:key', (request, reply) => {
    const { kind, key } = request.params
    reply.relay((kind === 'steady' ? steady : fragile).keyed.key(key)).send()
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  return { app, steady, fragile, url: `ws://127.0.0.1:${port}` }
}
