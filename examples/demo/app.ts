// The application: the chat, the help desk, and the processes of the page. `server.ts` starts it in
// a process of its own.
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import * as client from 'prom-client'
import wsRelay from '../../lib/index.js' // in your project: 'fastify-ws-relay'
import { dashboard } from '../../lib/dashboard/index.js' // 'fastify-ws-relay/dashboard'
import { collect } from '../../lib/metrics/index.js' // 'fastify-ws-relay/metrics'
import desk from '../desk.js'
import { census, snapshot } from './census.js'
import { network, type Command, type Counts } from './network.js'
import { servePage } from './page.js'
import { rooms, type Archive } from './rooms.js'

/** The route that Prometheus reads. A real server would protect it, or have it on an inner port. */
function serveMetrics (app: FastifyInstance) {
  const registry = new client.Registry()
  collect(app.processes, client, { registry })
  app.get('/metrics', async (_request, reply) => {
    reply.type(registry.contentType)
    return await registry.metrics()
  })
}

/** The state that survives a restart. A real application has a database for it. */
export interface Memory {
  archive: Archive
  counts: Map<string, Counts>
}

const empty = (): Memory => ({ archive: new Map(), counts: new Map() })

/** @param command asks the launcher for a fault; without it, the page has no faults */
export async function build (
  command?: (command: Command) => Promise<void>, memory = empty()
) {
  // A browser keeps a spare connection without a request, for which close() would wait.
  const app = Fastify({
    forceCloseConnections: true,
    logger: { level: process.env.LOG_LEVEL ?? 'warn' }
  })
  // A client that loses its socket continues on another one, with the same process. People watch
  // the drain, so it waits for a client for 2 s only.
  await app.register(wsRelay, { resume: true, closeTimeout: '2s' })
  if (command !== undefined) network(app, command, memory.counts)
  await app.register(rooms, { archive: memory.archive })
  await app.register(desk)
  // A real server would protect it with `onRequest`. This one answers this computer only.
  await app.register(dashboard, {
    prefix: '/dashboard', unprotected: true, actions: ['close', 'exit']
  })
  const parts = ['chat', 'rooms', 'desk', 'processes', 'dashboard']
  await servePage(app, command === undefined ? parts : [...parts, 'network'])
  serveMetrics(app)

  const { processes } = app
  processes.supervise({
    name: 'demo',
    children: [{ id: 'census', name: 'census', start: census, args: [processes] }]
  })
  // One route: a socket for an upgrade, JSON for other requests.
  app.get('/processes', (request, reply) => {
    if (request.wsUpgradable) reply.relay('census', { heartbeat_interval: '30s' }).send()
    else reply.send(snapshot(processes))
  })
  return app
}

if (process.argv[1] === import.meta.filename) {
  const memory = empty()
  const unanswered: Array<() => void> = []
  const command = async (command: Command) => {
    await new Promise<void>((resolve) => {
      unanswered.push(resolve)
      process.send?.(command)
    })
  }
  const app = await build(command, memory)
  await app.listen({ port: 0, host: '127.0.0.1' })
  process.on('message', async (order: 'done' | 'drain' | { memory?: Memory }) => {
    if (order === 'done') {
      unanswered.shift()?.()
      return
    }
    if (order !== 'drain') {
      for (const [room, lines] of order.memory?.archive ?? []) memory.archive.set(room, lines)
      for (const [page, counts] of order.memory?.counts ?? []) memory.counts.set(page, counts)
      process.send?.({ ready: true })
      return
    }
    app.processes.send('counter', 'drain')
    await app.processes.drain({ over: '2s' })
    await app.close() // the processes handle all that they were sent, so the memory is complete
    process.send?.({ memory }, () => process.exit())
  })
  // Ends together with its launcher.
  const end = async () => {
    await app.close()
    process.exit()
  }
  for (const event of ['SIGINT', 'SIGTERM', 'disconnect'] as const) process.once(event, end)
  if (process.connected === false) await end()
  process.send?.({ port: (app.server.address() as AddressInfo).port })
}
