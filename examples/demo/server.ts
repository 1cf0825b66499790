// `npm run demo`: the chat and the help desk on one port, with a page that shows the processes.
import Fastify, { type FastifyInstance } from 'fastify'
import * as client from 'prom-client'
import wsRelay, { type Process, type Processes } from '../../lib/index.js'
import { collect } from '../../lib/metrics/index.js'
import chat from '../chat.js'
import desk from '../desk.js'
import { leaveOut, servePage } from './page.js'

const maxRows = 50

/**
 * The list of processes for the page, the newest first. A real page would not show PIDs: they are
 * addresses inside the server. No server should ever accept one from a client.
 */
function snapshot (processes: Processes) {
  const pids = processes.list()
  const rows = pids.slice(-maxRows).reverse().flatMap((pid) => {
    const info = processes.info(pid)
    if (info === undefined) return []
    const { kind, label, names, status, mailbox, groups, uptime, target } = info
    return [{ pid, kind, label, names, status, mailbox, groups, uptime, target }]
  })
  const { alive, delivered, longestTurn } = processes.stats()
  return { rows, more: pids.length - rows.length, stats: { alive, delivered, longestTurn } }
}

/** Sends the list to every open page once a second. */
async function census (self: Process<{ tick: undefined }>, processes: Processes) {
  self.sendEvery('1s', self.pid, 'tick')
  await self.serve({
    'ws.join': ({ client_pid }) => {
      self.groups.join('pages', client_pid)
      self.send(client_pid, 'processes', snapshot(processes))
    },
    tick: () => {
      if (self.groups.members('pages').length > 0) {
        self.groups.broadcast('pages', 'processes', snapshot(processes))
      }
    }
  }, () => {}) // messages of the pages are ignored
}

/** The route that Prometheus reads. A real server would protect it, or have it on an inner port. */
function serveMetrics (app: FastifyInstance) {
  const registry = new client.Registry()
  collect(app.processes, client, { registry })
  app.get('/metrics', async (_request, reply) => {
    reply.type(registry.contentType)
    return await registry.metrics()
  })
}

export async function build () {
  // A browser keeps a spare connection without a request, for which close() would wait.
  const app = Fastify({
    forceCloseConnections: true,
    logger: { level: process.env.LOG_LEVEL ?? 'warn' }
  })
  await app.register(wsRelay)
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

/** Listens on `port`, or on a free port when it is in use. Resolves with the address. */
export async function start (port: number) {
  const host = '127.0.0.1'
  const app = await build()
  try {
    return { app, address: await app.listen({ port, host }) }
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw err
    console.log(`Port ${port} is taken: using a free one. PORT=… chooses another.`)
    return { app, address: await app.listen({ port: 0, host }) }
  }
}

if (process.argv[1] === import.meta.filename) {
  const { app, address } = await start(Number(process.env.PORT ?? 3000))
  console.log(`The demo is at ${address} - open it in two windows. Ctrl+C stops it.`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, async () => {
      await app.close()
      console.log('Stopped.')
    })
  }
}
