// A server whose route has a protocol, a target that keeps what it gets, and clients.
import { Type } from '@sinclair/typebox'
import { Call, protocol } from '../../../lib/protocol/index.js'
import { build, listen, logs, until } from '../../helpers.js'
import { openWire } from '../../integration/resume/wire-client.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Exit, WsCheckedMessage } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { Protocol } from '../../../types/protocol.js'
import type { RelayConfig, WsRelayOptions } from '../../../types/relay.js'
import type { WireSocket } from '../../integration/resume/wire-client.js'

const Text = Type.Object({ text: Type.String({ maxLength: 20 }) }, { additionalProperties: false })

const topics = {
  client: {
    say: Call({ data: Text, reply: Type.Object({ id: Type.Integer() }) }),
    note: Text,
    typing: Type.Boolean(),
    any: Type.Unknown()
  },
  server: { said: Text, confirm: Call({ data: Text, reply: Type.Boolean() }) }
}

export const chat = protocol('chat', topics)
export const strictChat = protocol('strict', topics, { invalid: 'close' })

/** A message to the target, with its way back. */
export interface Taken {
  readonly topic: string
  readonly payload: WsCheckedMessage
  reply (value?: unknown): void
  fail (error: unknown): void
}

export interface Target {
  readonly pid: Pid
  /** Everything but `ws.join`. */
  readonly taken: Taken[]
  /** The PID of the last client that joined. */
  client: Pid
}

/** Spawns a process that keeps its messages. */
export function spawnTarget (app: Pick<FastifyInstance, 'processes'>, name?: string): Target {
  const taken: Taken[] = []
  const pid = app.processes.spawn(async (self) => {
    for await (const message of self.inbox) {
      if (message.topic === 'ws.join') target.client = message.payload.client_pid
      else taken.push(message as unknown as Taken)
    }
  }, { name })
  const target: Target = { pid: pid as Pid, taken, client: '' as Pid }
  return target
}

export interface Server {
  readonly app: FastifyInstance
  readonly port: number
  readonly lines: Array<Record<string, any>>
}

/** Serves `/ws` for a target. */
export async function serve (
  t: Test, target: string, config: Omit<RelayConfig, 'target_pid'>, options: WsRelayOptions = {}
): Promise<Server> {
  const { logger, lines } = logs('debug')
  const app = await build(t, options, { logger })
  app.get('/ws', { config: { wsRelay: { resume: true } } }, (_, reply) => {
    reply.relay(target, config).send()
  })
  return { app, port: await listen(app), lines }
}

export interface Talk extends Server {
  readonly target: Target
  readonly client: WireSocket
  /** Sends a value as JSON, or a text as it is. */
  send (message: unknown): void
  /** The data of the messages that the target has taken. */
  data (): unknown[]
  /** How the connection has ended. */
  ended (): Promise<Exit>
}

/** A server with a target, and one client. @param speaks whether the client offers `v1.ws-relay` */
export async function talk (
  t: Test, used: Protocol = chat, { speaks = false, ...config }:
  Omit<RelayConfig, 'target_pid'> & { speaks?: boolean } = {}, options: WsRelayOptions = {}
): Promise<Talk> {
  const server = await serve(t, 'target', { protocol: used, ...config }, options)
  const target = spawnTarget(server.app, 'target')
  const client = await connect(t, server.port, speaks)
  await until(() => target.client !== '')
  const { processes } = server.app
  const exited = processes.exited(target.client)
  return {
    ...server,
    target,
    client,
    send (message) {
      client.writeText(typeof message === 'string' ? message : JSON.stringify(message))
    },
    data: () => target.taken.map(({ payload }) => payload.data),
    ended: () => exited
  }
}

export function connect (t: Test, port: number, speaks = false): Promise<WireSocket> {
  return openWire(t, { port }, speaks ? ['v1.ws-relay'] : [])
}
