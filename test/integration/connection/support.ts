// Helpers of the connection tests: an application whose route reads X-WS-Relay from the query,
// clients that can also break the protocol, and target processes that record their messages.
import { once } from 'node:events'
import { connect } from 'node:net'
import { opcodes } from '../../../lib/websocket/frames.js'
import { Registration } from '../../../lib/registration/registration.js'
import { closeOf, frameOf, textOf } from '../../client-frames.js'
import { apart, away, nearOthers, NearHome, neighbours } from './homes.js'
import { build, handshake, listen, until } from '../../helpers.js'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyHttpOptions, FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Home, HomeOptions, Kept, Neighbours, Others } from './homes.js'
import type { UpgradeServer } from '../../../lib/registration/upgrade-server.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { Processes } from '../../../types/processes.js'
import type { RelayConfig, WsRelayOptions } from '../../../types/relay.js'

export interface Rig {
  readonly app: FastifyInstance
  readonly port: number
  readonly processes: Processes
  readonly relay: UpgradeServer
  /** Another user of the connections. It has its own node when the targets have their own. */
  readonly others: Others
  /** The other nodes of the rig; undefined when the targets are local. */
  readonly neighbours: Neighbours | undefined
}

/**
 * Starts an application with the route `/` for connections, and an ordinary route `/up`. The
 * environment variable TARGETS chooses the nodes of the {@link Keeper}s: see `homes.ts`.
 */
export async function start (
  t: Test,
  options: WsRelayOptions = {},
  fastify: FastifyHttpOptions<Server> = {},
  routes = (_app: FastifyInstance): void => {}
): Promise<Rig> {
  const around = await neighbours(t, options)
  const app = await build(
    t,
    around === undefined ? options : { ...options, node: around.node, cluster: around.engine },
    fastify
  )
  routes(app)
  app.get<{ Querystring: { relay: string } }>('/', (request, reply) => {
    reply.header('x-ws-relay', request.query.relay).send()
  })
  app.get('/up', async () => 'up')
  const port = await listen(app)
  await around?.meet(app.processes)
  return {
    app,
    port,
    processes: app.processes,
    relay: Registration.of(app)!.relay,
    others: around?.others ?? nearOthers(app.processes),
    neighbours: around
  }
}

export { closeOf, frameOf, textOf }
export { apart, away }
export type { Kept }

/** The close frame that a client received, or 1006 when there was none. */
export interface Seen { code: number | undefined, reason: string }

/** A client on a bare socket. */
export class Peer {
  readonly socket: Socket
  readonly frames: Array<{ opcode: number, payload: Buffer, rsv1: boolean }> = []
  /** Whether it answers a close frame, as RFC 6455 requires. */
  answersClose = true
  answersPings = true
  seen: Seen | undefined
  /** The HTTP response to its handshake, without the empty line. */
  head = ''
  /** Whether the server has ended its side, or the socket is closed. */
  gone = false
  /** The chunks of an incomplete frame. They are joined when enough bytes have arrived. */
  #chunks: Buffer[] = []
  #length = 0
  #wanted = 2
  #sentClose = false

  constructor (socket: Socket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('end', () => { this.gone = true })
    socket.on('close', () => { this.gone = true })
  }

  get texts (): string[] {
    return this.frames
      .filter(({ opcode }) => opcode === opcodes.text)
      .map(({ payload }) => payload.toString())
  }

  count (opcode: number): number {
    return this.frames.filter((frame) => frame.opcode === opcode).length
  }

  write (...frames: Buffer[]): this {
    this.socket.write(Buffer.concat(frames))
    return this
  }

  text (data: string): this {
    return this.write(textOf(data))
  }

  close (code?: number, reason?: string): this {
    this.#sentClose = true
    return this.write(closeOf(code, reason))
  }

  /** Ends the socket without a close frame. */
  fin (): void {
    this.socket.end()
  }

  rst (): void {
    // Node ignores resetAndDestroy() on a socket that is already ending.
    if (this.socket.writableEnded) this.socket.destroy()
    else this.socket.resetAndDestroy()
  }

  /** Resolves with the received close frame when the socket is closed. */
  async end (): Promise<Seen> {
    await until(() => this.gone)
    return this.seen ?? { code: 1006, reason: '' }
  }

  /** Reads the response to the handshake, then frames. Rejects when the status is not 101. */
  async open (): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      let come = Buffer.alloc(0)
      const onHead = (bytes: Buffer): void => {
        come = Buffer.concat([come, bytes])
        const end = come.indexOf('\r\n\r\n')
        if (end === -1) return
        this.socket.off('data', onHead)
        const head = come.toString('latin1', 0, end)
        const rest = come.subarray(end + 4)
        this.head = head
        if (!head.startsWith('HTTP/1.1 101')) {
          reject(new Error(head))
          return
        }
        this.socket.on('data', (more) => { this.#read(more) })
        if (rest.length > 0) this.#read(rest)
        resolve()
      }
      this.socket.on('data', onHead)
      this.socket.once('close', () => { reject(new Error('closed')) })
    })
    return this
  }

  #read (bytes: Buffer): void {
    this.#chunks.push(bytes)
    this.#length += bytes.length
    if (this.#length < this.#wanted) return
    let rest = Buffer.concat(this.#chunks)
    for (;;) {
      this.#wanted = 2
      const short = rest.length < 2 ? -1 : rest[1]
      const header = short < 126 ? 2 : short === 126 ? 4 : 10
      if (short === -1) break
      this.#wanted = header
      if (rest.length < header) break
      const length =
        short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
      this.#wanted = header + length
      if (rest.length < this.#wanted) break
      this.#take(rest[0], rest.subarray(header, header + length))
      rest = rest.subarray(header + length)
    }
    this.#chunks = [rest]
    this.#length = rest.length
  }

  #take (first: number, payload: Buffer): void {
    const opcode = first & 0x0f
    this.frames.push({ opcode, payload, rsv1: (first & 0x40) !== 0 })
    if (opcode === opcodes.ping && this.answersPings) this.write(frameOf(opcodes.pong, payload))
    if (opcode !== opcodes.close) return
    this.seen =
      payload.length === 0
        ? { code: undefined, reason: '' }
        : { code: payload.readUInt16BE(), reason: payload.toString('utf8', 2) }
    if (this.answersClose && !this.#sentClose) this.close(this.seen.code)
  }
}

/** Connects a client with a relay config, or at a path of the application. */
export async function connectTo (
  t: Test,
  { port }: Rig,
  config: RelayConfig | string,
  { early = Buffer.alloc(0), headers = {}, reads = true } = {}
): Promise<Peer> {
  const socket = connect({ port, host: '127.0.0.1' })
  t.teardown(() => {
    socket.destroy()
  })
  await once(socket, 'connect')
  const peer = new Peer(socket)
  const opened = peer.open()
  const path =
    typeof config === 'string' ? config : `/?relay=${encodeURIComponent(JSON.stringify(config))}`
  peer.write(Buffer.from(handshake(path, headers)), early)
  await opened
  if (!reads) socket.pause()
  return peer
}

/** A target process that records its messages. It stops reading while it is held. */
export class Keeper {
  readonly pid: Pid
  readonly mail: Kept[] = []
  readonly exited: Promise<Exit>
  readonly #home: Home

  /**
   * @param each called with each message. When it returns a promise, a local keeper awaits it
   * before the next message.
   */
  constructor (
    rig: { processes: Processes, neighbours?: Neighbours },
    {
      monitors = true,
      mailboxLimit = undefined as number | undefined,
      keep = true,
      each = (_kept: Kept): unknown => undefined
    } = {}
  ) {
    const options: HomeOptions = {
      monitors,
      mailboxLimit,
      take: (kept) => {
        if (keep) this.mail.push(kept)
        return each(kept)
      }
    }
    this.#home = rig.neighbours?.home(options) ?? new NearHome(rig.processes, options)
    this.pid = this.#home.pid
    this.exited = this.#home.exited
  }

  /** Lets it read at most one more message until {@link release}. */
  hold (): this {
    this.#home.hold()
    return this
  }

  release (): void {
    this.#home.release()
  }

  /** Asks its own node whether it is alive. */
  async alive (): Promise<boolean> {
    return await this.#home.alive()
  }

  /** The length of its mailbox. */
  async mailbox (): Promise<number> {
    return await this.#home.mailbox()
  }

  /** Resolves when it has recorded all messages that connections have sent, or has ended. */
  async idle (): Promise<void> {
    await this.#home.idle()
  }

  /** Resolves when the connection has received the latest state of its mailbox. */
  async reaches (connection: Pid): Promise<void> {
    await this.#home.reaches(connection)
  }

  of (topic: string): any[] {
    return this.mail.filter((kept) => kept.topic === topic).map(({ payload }) => payload)
  }

  get topics (): string[] {
    return this.mail.map(({ topic }) => topic)
  }

  get texts (): string[] {
    return this.of('ws.message').map(({ data }) => data)
  }

  /** Resolves with the payloads of a topic when there are at least `count`. */
  async until (topic: string, count = 1): Promise<any[]> {
    await until(() => this.of(topic).length >= count)
    return this.of(topic)
  }
}

/** Connects a client to a new keeper, and resolves after its join. */
export async function joined (
  t: Test,
  rig: Rig,
  config: Partial<RelayConfig> = {},
  target = new Keeper(rig)
): Promise<{ peer: Peer, pid: Pid, target: Keeper }> {
  const before = target.of('ws.join').length
  const peer = await connectTo(t, rig, { target_pid: target.pid, ...config })
  const joins = await target.until('ws.join', before + 1)
  return { peer, pid: joins[before].client_pid, target }
}

/**
 * Sends more messages than the held target has room for, until the connection pauses its socket.
 * The mailbox of the target must take fewer than 100 messages. A remote target has to report that
 * its mailbox is full before the connection pauses.
 */
export async function fill (
  rig: Rig,
  peer: Peer,
  pid: Pid,
  target: Keeper,
  frames: Buffer[]
): Promise<void> {
  target.hold()
  if (rig.neighbours === undefined) peer.write(...frames)
  else {
    // Client messages take another way and could arrive before the hold. The answer to `alive`
    // follows the hold, so it is in place then.
    await target.alive()
    const first = frames.splice(0, 100)
    peer.write(...first)
    await until(async () => (await target.mailbox()) >= first.length - 1)
    await target.reaches(pid)
    peer.write(...frames)
  }
  await until(() => rig.processes.info(pid)!.paused as boolean)
}

/**
 * The messages of both targets when a client sent '1', was transferred with a new topic and new
 * metadata, and sent '2'.
 */
export function mailOfTransfer (pid: Pid): { old: unknown[], next: unknown[] } {
  return {
    old: [
      {
        topic: 'ws.message',
        payload: { client_pid: pid, type: 'text', data: '1', metadata: { old: true } },
        from: pid
      },
      {
        topic: 'ws.leave',
        payload: {
          client_pid: pid,
          reason: 'transferred',
          code: undefined,
          cause: 'transfer',
          metadata: { old: true }
        },
        from: pid
      }
    ],
    next: [
      { topic: 'ws.join', payload: { client_pid: pid, metadata: { new: true } }, from: pid },
      {
        topic: 'chat',
        payload: { client_pid: pid, type: 'text', data: '2', metadata: { new: true } },
        from: pid
      }
    ]
  }
}

/** Resolves at a deadline of the server's timer, after all its earlier deadlines. */
export async function deadline ({ relay }: Rig, milliseconds: number): Promise<void> {
  await new Promise<void>((resolve) => {
    relay.deadlines.schedule(
      {
        slot: undefined,
        due: () => {
          resolve()
        }
      },
      milliseconds
    )
  })
}

/** The entries of connections in shared tables. All are 0 after the last connection has ended. */
export function remains ({ relay }: Rig): Record<string, number> {
  const { runtime, deadlines, sockets, handshakes } = relay
  const connections = [...runtime.processTable.entities].filter(({ kind }) => kind === 'ws').length
  return {
    connections,
    timers: deadlines.size,
    sockets: sockets.size,
    handshakes: handshakes.size,
    groups: runtime.groupTable.size,
    names: runtime.nameTable.size
  }
}

export const nothing = { connections: 0, timers: 0, sockets: 0, handshakes: 0, groups: 0, names: 0 }

/** Resolves when no connection has an entry in a shared table. */
export async function allGone (rig: Rig): Promise<void> {
  await until(() => Object.values(remains(rig)).every((count) => count === 0))
}
