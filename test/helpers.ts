// What the tests that need an application share. Real sockets on 127.0.0.1, a free port each; all
// of it is torn down with the test.
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
export async function build (t: Test, options: WsRelayOptions = {}, fastify: FastifyHttpOptions<Server> = {}): Promise<FastifyInstance> {
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
export function logs (level = 'info'): { logger: { level: string, stream: { write (line: string): void } }, lines: Array<Record<string, any>> } {
  const lines: Array<Record<string, any>> = []
  return { lines, logger: { level, stream: { write: (line) => { lines.push(JSON.parse(line)) } } } }
}

/** A message as a recorder keeps it. */
export interface Received { topic: string, payload: any }

/** A process that keeps every message. */
export interface Recorder {
  pid: Pid
  received: Received[]
  /** The payload of the first message of a topic that was not asked for yet, come or to come. */
  next (topic: string): Promise<any>
}

/** Spawns a process that keeps what it is sent, and echoes `ws.message` to its client. */
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
      if (topic === 'ws.message') self.send(payload.client_pid, 'ws.send', { type: payload.type, data: payload.data })
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

/** A `ws` client whose handshake is done; terminated with the test. */
export async function open (t: Test, url: string, options?: WebSocket.ClientOptions, protocols: string[] = []): Promise<WebSocket> {
  const client = new WebSocket(url, protocols, options)
  t.teardown(() => { client.terminate() })
  await once(client, 'open')
  return client
}

export const key = 'dGhlIHNhbXBsZSBub25jZQ=='

/** The text of an upgrade request. A header that is `undefined` is left out, one in a list is repeated. */
export function handshake (path = '/', headers: Record<string, string | string[] | undefined> = {}, line = `GET ${path} HTTP/1.1`): string {
  const all = { host: 'relay.test', connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': key, ...headers }
  const lines = Object.entries(all).flatMap(([name, value]) => value === undefined ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`))
  return `${line}\r\n${lines.join('')}\r\n`
}

/** A client's masked frame; a text frame if not told otherwise. Short: up to 125 bytes. */
export function frame (data: string | Buffer, opcode = 1): Buffer {
  const bytes = Buffer.from(data)
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | bytes.length, 0, 0, 0, 0]), bytes])
}

/** A raw socket that keeps all it is sent, as latin1. */
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

  /** Waits for something to arrive; throws when the server ends the socket before. */
  async until (pattern: RegExp): Promise<string> {
    while (!pattern.test(this.text)) {
      if (this.#ended) throw new Error(`the socket ended before ${pattern}, after ${JSON.stringify(this.text)}`)
      await new Promise<void>((resolve) => {
        const look = () => {
          for (const event of ['data', 'end', 'close']) this.socket.off(event, look)
          resolve()
        }
        for (const event of ['data', 'end', 'close']) this.socket.on(event, look)
      })
    }
    return this.text
  }

  /** All the server has sent, when it has ended the socket. */
  async end (): Promise<string> {
    if (!this.#ended) await Promise.race([once(this.socket, 'end'), once(this.socket, 'close')])
    return this.text
  }
}

/** Connects a raw socket; destroyed with the test. */
export async function raw (t: Test, port: number, allowHalfOpen = false): Promise<Raw & { socket: Socket }> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen })
  t.teardown(() => { socket.destroy() })
  const client = new Raw(socket)
  await once(socket, 'connect')
  return client as Raw & { socket: Socket }
}

/** Sends a request over a socket of its own, and returns all of the answer when the server has ended it. */
export async function answer (t: Test, port: number, request: string | Buffer): Promise<string> {
  return await (await raw(t, port)).write(request).end()
}
