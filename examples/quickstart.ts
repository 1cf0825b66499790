// Everyone who opens /ws is in one lobby; POST /notify is an ordinary route that talks to it.
//   npx tsx examples/quickstart.ts
//   npx wscat -c 'ws://127.0.0.1:3000/ws?user_id=ada'
//   curl http://127.0.0.1:3000/notify -H 'content-type: application/json' \
//     -d '{"text":"tea is ready"}'
import Fastify, { type FastifyServerOptions } from 'fastify'
import wsRelay, { type Pid } from '../lib/index.js' // in your project: 'fastify-ws-relay'

export async function build (options: FastifyServerOptions = {}) {
  const app = Fastify(options)
  // A client that loses its socket continues on another one.
  const allowedOrigins = 'https://app.example.com, https://*.example.org'
  await app.register(wsRelay, { allowedOrigins, resume: true })

  const lobby = app.processes.spawn<{ notice: { text: string } }>(async function lobby (self) {
    const clients = new Set<Pid>()
    for await (const { topic, payload } of self.inbox) {
      if (topic === 'ws.join') clients.add(payload.client_pid)
      if (topic === 'ws.leave') clients.delete(payload.client_pid)
      if (topic === 'ws.message') {
        for (const pid of clients) {
          self.send(pid, 'ws.send', { type: payload.type, data: payload.data })
        }
      }
      if (topic === 'notice') {
        for (const pid of clients) self.send(pid, 'ws.send', { type: 'text', data: payload.text })
      }
    }
  })

  app.get<{ Querystring: { user_id?: string } }>('/ws', (request, reply) => {
    reply.header('X-WS-Relay', JSON.stringify({
      target_pid: lobby, heartbeat_interval: '30s', metadata: { user_id: request.query.user_id }
    }))
    reply.send()
  })

  const body = {
    type: 'object', required: ['text'], properties: { text: { type: 'string', maxLength: 1000 } }
  }
  app.post<{ Body: { text: string } }>('/notify', { schema: { body } }, (request, reply) => {
    reply.send({ accepted: app.processes.send(lobby, 'notice', request.body) })
  })

  return app
}

if (process.argv[1] === import.meta.filename) {
  const app = await build({ logger: true })
  await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
}
