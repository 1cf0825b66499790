// Helpers of the connection tests: an application whose route reads X-WS-Relay from the query, and
// target processes that record their messages.
import { Registration } from '../../../lib/registration/registration.js'
import { closeOf, frameOf, textOf } from '../../client-frames.js'
import { nearOthers, NearHome } from './homes/homes.js'
import { apart, away, neighbours } from './homes/neighbours.js'
import { connectTo } from './peer.js'
import { build, listen, until } from '../../helpers.js'
import type { Server } from 'node:http'
import type { FastifyHttpOptions, FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Home, HomeOptions, Kept, Neighbours, Others } from './homes/homes.js'
import type { Peer } from './peer.js'
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
 * environment variable TARGETS chooses the nodes of the {@link Keeper}s: see `homes/neighbours.ts`.
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
  const { runtime, deadlines, handshakes } = relay
  const connections = [...runtime.processTable.entities].filter(({ kind }) => kind === 'ws').length
  return {
    connections,
    timers: deadlines.size,
    transports: relay.connections.size,
    handshakes: handshakes.size,
    groups: runtime.groupTable.size,
    names: runtime.nameTable.size
  }
}

export const nothing = {
  connections: 0, timers: 0, transports: 0, handshakes: 0, groups: 0, names: 0
}

/** Resolves when no connection has an entry in a shared table. */
export async function allGone (rig: Rig): Promise<void> {
  await until(() => Object.values(remains(rig)).every((count) => count === 0))
}
