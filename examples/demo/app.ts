// The application: the chat, the help desk, and the processes of the page. `server.ts` starts it in
// a process of its own.
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import * as client from 'prom-client'
import wsRelay from '../../lib/index.js' // in your project: 'fastify-ws-relay'
import { collect } from '../../lib/metrics/index.js' // 'fastify-ws-relay/metrics'
import chat from '../chat.js'
import desk from '../desk.js'
import { census, snapshot } from './census.js'
import { network, type Command } from './network.js'
import { leaveOut, servePage } from './page.js'

/** The route that Prometheus reads. A real server would protect it, or have it on an inner port. */
function serveMetrics (app: FastifyInstance) {
  const registry = new client.Registry()
  collect(app.processes, client, { registry })
  app.get('/metrics', async (_request, reply) => {
    reply.type(registry.contentType)
    return await registry.metrics()
  })
}

/** @param command asks the launcher for a fault; without it, the page has no faults */
export async function build (command?: (command: Command) => void) {
  // A browser keeps a spare connection without a request, for which close() would wait.
  const app = Fastify({
    forceCloseConnections: true,
    logger: { level: process.env.LOG_LEVEL ?? 'warn' }
  })
  // A client that loses its socket continues on another one, with the same process.
  await app.register(wsRelay, { resume: true })
  if (command === undefined) leaveOut(app, '/network')
  else network(app, command)
  await app.register(chat)
  await app.register(desk)
  await servePage(app)
  serveMetrics(app)
  leaveOut(app, '/nodes') // examples/cluster has several

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
  const app = await build((command) => { process.send?.(command) })
  await app.listen({ port: 0, host: '127.0.0.1' })
  process.send?.({ port: (app.server.address() as AddressInfo).port })
  // Ends together with its launcher.
  for (const event of ['SIGINT', 'SIGTERM', 'disconnect'] as const) {
    process.once(event, async () => {
      await app.close()
      process.exit()
    })
  }
}
