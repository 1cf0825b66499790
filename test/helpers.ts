// Helpers for tests with an application: real sockets on 127.0.0.1, each on a free port. Everything
// is closed at the end of the test.
import { once } from 'node:events'
import { connect } from 'node:net'
import Fastify from 'fastify'
import WebSocket from 'ws'
import { wsRelay } from '../lib/index.js'
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyHttpOptions } from 'fastify'
import type { Test } from 'tap'
import type { Pid } from '../types/pid.js'
import type { WsRelayOptions } from '../types/relay.js'

export { until } from './laps.js'

/** An application that is closed with the test; the plugin is not registered yet. */
export function bare (t: Test, fastify: FastifyHttpOptions<Server> = {}): FastifyInstance {
  const app = Fastify(fastify)
  t.teardown(() => app.close())
  return app
}

/** An application with the plugin registered, closed with the test. */
export async function build (
  t: Test, options: WsRelayOptions = {}, fastify: FastifyHttpOptions<Server> = {}
): Promise<FastifyInstance> {
  const app = bare(t, fastify)
  await app.register(wsRelay, options)
  return app
}

/** Listens on a free port and returns it. */
export async function listen (app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

/** A logger for `Fastify({ logger })`, and the lines that it has written. */
export function logs (level = 'info'): {
  logger: { level: string, stream: { write(line: string): void } }
  lines: Array<Record<string, any>>
} {
  const lines: Array<Record<string, any>> = []
  return {
    lines,
    logger: {
      level,
      stream: {
        write: (line) => {
          lines.push(JSON.parse(line))
        }
      }
    }
  }
}

/** A message that a recorder has received. */
export interface Received { topic: string, payload: any }

/** A process that keeps every message. */
export interface Recorder {
  pid: Pid
  received: Received[]
  /** The payload of the next message of a topic. Waits for it if it has not arrived yet. */
  next (topic: string): Promise<any>
}

/** Spawns a process that keeps its messages, and echoes `ws.message` to the client. */
export function record (app: FastifyInstance, name?: string): Recorder {
  const received: Received[] = []
  const unread: Received[] = []
  const waiting: Array<{ topic: string, resolve: (payload: any) => void }> = []
  const pid = app.processes.spawn(async function recorder (self) {
    for await (const { topic, payload } of self.inbox as AsyncIterable<Received>) {
      received.push({ topic, payload })
      const asked = waiting.findIndex((one) => one.topic === topic)
      if (asked === -1) unread.push({ topic, payload })
      else waiting.splice(asked, 1)[0].resolve(payload)
      if (topic === 'ws.message') {
        self.send(payload.client_pid, 'ws.send', { type: payload.type, data: payload.data })
      }
    }
  }, { name })
  return {
    pid: pid as Pid,
    received,
    async next (topic) {
      const known = unread.findIndex((one) => one.topic === topic)
      if (known !== -1) return unread.splice(known, 1)[0].payload
      return await new Promise((resolve) => { waiting.push({ topic, resolve }) })
    }
  }
}

/** Opens a `ws` client; terminated with the test. */
export async function open (
  t: Test, url: string, options?: WebSocket.ClientOptions, protocols: string[] = []
): Promise<WebSocket> {
  const client = new WebSocket(url, protocols, options)
  t.teardown(() => { client.terminate() })
  await once(client, 'open')
  return client
}

export const key = 'dGhlIHNhbXBsZSBub25jZQ=='

/** The text of an upgrade request. An `undefined` header is left out, a list is repeated. */
export function handshake (
  path = '/',
  headers: Record<string, string | string[] | undefined> = {},
  line = `GET ${path} HTTP/1.1`
): string {
  const all = {
    host: 'relay.test',
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': key,
    ...headers
  }
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`)
  )
  return `${line}\r\n${lines.join('')}\r\n`
}

/** A masked frame of up to 125 bytes. */
export function frame (data: string | Buffer, opcode = 1): Buffer {
  const bytes = Buffer.from(data)
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | bytes.length, 0, 0, 0, 0]), bytes])
}

/** A raw socket that collects everything it receives, as latin1. */
export class Raw {
  readonly socket: Duplex
  text = ''
  #ended = false

  constructor (socket: Duplex) {
    this.socket = socket
    socket.on('data', (bytes) => { this.text += bytes.toString('latin1') })
    socket.on('error', () => {})
    socket.on('end', () => { this.#ended = true })
    socket.on('close', () => { this.#ended = true })
  }

  write (data: string | Buffer): this {
    this.socket.write(data)
    return this
  }

  /** Waits until the text matches; throws when the server ends the socket before. */
  async until (pattern: RegExp): Promise<string> {
    while (!pattern.test(this.text)) {
      if (this.#ended) {
        throw new Error(`the socket ended before ${pattern}, after ${JSON.stringify(this.text)}`)
      }
      await new Promise<void>((resolve) => {
        const onEvent = () => {
          for (const event of ['data', 'end', 'close']) this.socket.off(event, onEvent)
          resolve()
        }
        for (const event of ['data', 'end', 'close']) this.socket.on(event, onEvent)
      })
    }
    return this.text
  }

  /** Everything that the server has sent, once it has ended the socket. */
  async end (): Promise<string> {
    if (!this.#ended) await Promise.race([once(this.socket, 'end'), once(this.socket, 'close')])
    return this.text
  }
}

/** Connects a raw socket; destroyed with the test. */
export async function raw (
  t: Test, port: number, allowHalfOpen = false
): Promise<Raw & { socket: Socket }> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen })
  t.teardown(() => { socket.destroy() })
  const client = new Raw(socket)
  await once(socket, 'connect')
  return client as Raw & { socket: Socket }
}

/** Sends a request over a new socket. @returns the response, once the server has ended it */
export async function answer (t: Test, port: number, request: string | Buffer): Promise<string> {
  return await (await raw(t, port)).write(request).end()
}

/** How many sockets the server of an application has open. */
export function openSockets (app: FastifyInstance): number {
  return (app.server as unknown as { _connections: number })._connections
}
