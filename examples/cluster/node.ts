// One node with the chat. The launcher starts three. To start one by hand, with an engine on its
// default port:
//   NODE=a ADDRESSES='{"a":"http://127.0.0.1:3001","b":"http://127.0.0.1:3002"}' \
//     npx tsx examples/cluster/node.ts
import Fastify from 'fastify'
// The comments beside the imports show the names to use in your project.
import wsRelay, { type ClusterEngine } from '../../lib/index.js' // 'fastify-ws-relay'
import { nats } from '../../lib/cluster/engines/nats.js' // 'fastify-ws-relay/nats'
import { redis } from '../../lib/cluster/engines/redis.js' // 'fastify-ws-relay/redis'
import { dashboard } from '../../lib/dashboard/index.js' // 'fastify-ws-relay/dashboard'
import { servePage } from '../demo/page.js'
import { rooms } from '../demo/rooms.js'
import { control, nodes, type Command, type Running } from './nodes.js'

export async function build (
  node: string, addresses: Record<string, string>, cluster: ClusterEngine
) {
  // A browser keeps a spare connection without a request, for which close() would wait.
  const app = Fastify({
    forceCloseConnections: true,
    logger: { level: process.env.LOG_LEVEL ?? 'warn', base: { node } }
  })
  const servers = Object.values(addresses)
  // The page moves to another node when its own is lost. A client that enters a room of a lost node
  // waits until the name of the room is free: 14 s or more.
  await app.register(wsRelay, { node, cluster, allowedOrigins: servers, upgradeTimeout: '30s' })
  await app.register(rooms, {})
  await app.register(dashboard, { prefix: '/dashboard', unprotected: true }) // this computer only
  await servePage(app, ['chat', 'rooms', 'nodes'], servers)

  const { processes } = app
  const command = (command: Command) => { process.send?.(command) }
  processes.supervise({
    name: 'page',
    children: [{ id: 'nodes', name: 'nodes', start: nodes, args: [processes, addresses, command] }]
  })
  app.get('/nodes', (_request, reply) => { reply.relay('nodes', { protocol: control }).send() })
  // For a readiness probe.
  app.get('/health', (_request, reply) => {
    const health = processes.health()
    reply.code(health.ready ? 200 : 503).send(health)
  })
  return app
}

if (process.argv[1] === import.meta.filename) {
  const {
    NODE = 'a',
    ADDRESSES = '{"a":"http://127.0.0.1:3001"}',
    ENGINE = 'nats://127.0.0.1:4222'
  } = process.env
  const addresses = JSON.parse(ADDRESSES) as Record<string, string>
  const engine = ENGINE.startsWith('redis') ? redis({ url: ENGINE }) : nats({ servers: ENGINE })
  const app = await build(NODE, addresses, engine)
  const { hostname, port } = new URL(addresses[NODE])
  await app.listen({ host: hostname, port: Number(port) })

  process.on('message', (running: Running) => { app.processes.send('nodes', 'running', running) })
  process.send?.('listening')
  // Ends together with its launcher.
  for (const event of ['SIGINT', 'SIGTERM', 'disconnect'] as const) {
    process.once(event, async () => {
      await app.close()
      process.exit()
    })
  }
}
