// An HTTP route that sends to connected clients: to all devices of one user, or to everyone.
//   npx tsx examples/notify.ts
//   npx wscat -c 'ws://127.0.0.1:3000/notifications?user=ada'
//   curl http://127.0.0.1:3000/notify -H 'content-type: application/json' \
//     -d '{"user":"ada","text":"tea is ready"}'
import Fastify from 'fastify'
import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import wsRelay from '../lib/index.js' // in your project: 'fastify-ws-relay'

// The user becomes part of a group's name, so it must be checked.
const User = Type.String({ pattern: '^[a-z0-9-]{1,32}$' })

const notify: FastifyPluginAsyncTypebox = async (app) => {
  const { groups } = app.processes

  // The target of every connection. It puts the connection into its groups, which a connection
  // leaves when it ends.
  const registrar = app.processes.spawn(async function registrar (self) {
    await self.serve({
      'ws.join': ({ client_pid, metadata }) => {
        self.groups.join('users', client_pid)
        self.groups.join(`user:${String(metadata.user)}`, client_pid)
      }
    }, () => {}) // messages of clients are ignored
  })

  // In production the user comes from a session that an `onRequest` hook has checked.
  const querystring = Type.Object({ user: User })
  app.get('/notifications', { schema: { querystring } }, (request, reply) => {
    reply.relay(registrar, { metadata: { user: request.query.user } }).send()
  })

  const body = Type.Object({
    user: Type.Optional(User),
    text: Type.String({ minLength: 1, maxLength: 1000 })
  })
  app.post('/notify', { schema: { body } }, (request, reply) => {
    const { user, text } = request.body
    const group = user === undefined ? 'users' : `user:${user}`
    // 'notice' is a topic of this application. The client reads
    // {"topic":"notice","data":{"text":"tea is ready"}}.
    reply.send({ reached: groups.broadcast(group, 'notice', { text }) })
  })
}

export default notify

if (process.argv[1] === import.meta.filename) {
  const app = Fastify({ logger: true })
  await app.register(wsRelay)
  await app.register(notify)
  await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
}
