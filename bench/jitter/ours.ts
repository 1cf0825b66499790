// Ours: a route with resume, and the client of the package.
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import WebSocket from 'ws'
import { connect } from '../../lib/client/index.js'
import wsRelay, { type Pid } from '../../lib/index.js'
import type { ClientSocket, ConnectOptions } from '../../types/client.js'
import type { Connected, Served, Side, Watch } from './sides.js'

export async function serve (
  received: (id: number, text: string) => void, resume: boolean | { window: string } = true
): Promise<Served> {
  const app = Fastify({ forceCloseConnections: true })
  await app.register(wsRelay, { resume })
  const pids = new Map<number, Pid>()
  const target = app.processes.spawn((self) => self.serve({
    'ws.join': ({ client_pid: pid, metadata }) => { pids.set(metadata.id as number, pid) },
    'ws.message': ({ metadata, data }) => { received(metadata.id as number, String(data)) }
  }))
  app.get<{ Querystring: { id: string } }>('/numbers', (request, reply) => {
    reply.relay(target, { metadata: { id: Number(request.query.id) } }).send()
  })
  await app.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
  return {
    port: (app.server.address() as AddressInfo).port,
    send: (id, data) => { app.processes.send(pids.get(id)!, 'ws.send', { data }) },
    close: async () => { await app.close() }
  }
}

export function addressOf (port: number, id: number): string {
  return `ws://127.0.0.1:${port}/numbers?id=${id}`
}

export function watched (socket: ClientSocket, { opened, received, reset }: Watch): Connected {
  socket.on('state', ({ state }) => { if (state === 'open') opened() })
  socket.on('message', (data) => { received(data as string) })
  socket.on('reset', reset)
  return {
    send (text) {
      if (!socket.send(text)) throw new Error('the client has refused a message')
    },
    close: () => { socket.close() }
  }
}

export const options: ConnectOptions = { WebSocket }

export const ours: Side = {
  serve,
  connect: (port, id, watch) => watched(connect(addressOf(port, id), options), watch)
}
