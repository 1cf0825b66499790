// Notices for the devices of one user. A login gives a token; the sockets end when it expires.
//   SECRET=… npx tsx examples/notify.ts
//   curl http://127.0.0.1:3000/login -H 'content-type: application/json' -d '{"user":"ada"}'
//   npx wscat -c 'ws://127.0.0.1:3000/notifications?token=…'
//   curl http://127.0.0.1:3000/notify -H 'content-type: application/json' \
//     -H 'authorization: Bearer …' -d '{"user":"ada","text":"tea is ready"}'
import { randomUUID } from 'node:crypto'
import Fastify, { type FastifyRequest } from 'fastify'
import fastifyJwt from '@fastify/jwt'
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import wsRelay from '../lib/index.js' // in your project: 'fastify-ws-relay'

declare module '@fastify/jwt' {
  interface FastifyJWT { payload: { sub: string }, user: { sub: string, exp: number } }
}

const isMain = process.argv[1] === import.meta.filename
export const app = Fastify({ logger: isMain }).withTypeProvider<TypeBoxTypeProvider>()
await app.register(wsRelay)
// A browser can set no header of a WebSocket, so its token is in the query string.
const extractToken = ({ headers, query }: FastifyRequest) =>
  headers.authorization?.replace('Bearer ', '') ?? (query as { token?: string }).token
const secret = process.env.SECRET ?? randomUUID()
await app.register(fastifyJwt, { secret, verify: { extractToken } })
const onRequest = async (request: FastifyRequest) => await request.jwtVerify()

// The target of every connection. A connection leaves its group by itself when it ends.
const registrar = app.processes.spawn(async function registrar (self) {
  await self.serve({
    'ws.join': ({ client_pid, metadata: { sub, exp } }) => {
      self.groups.join(`user:${String(sub)}`, client_pid)
      const close = { code: 4401, reason: 'token expired' }
      self.sendAfter(Math.max(0, 1000 * Number(exp) - Date.now()), client_pid, 'ws.close', close)
    }
  }, () => {}) // messages of clients are ignored
})
app.get('/notifications', { onRequest }, async (request, reply) => {
  return reply.relay(registrar, { metadata: request.user })
})

const user = Type.String({ pattern: '^[a-z0-9-]{1,32}$' })
// Yours: a look at the password.
app.post('/login', { schema: { body: Type.Object({ user }) } }, async ({ body }) => {
  return { token: app.jwt.sign({ sub: body.user }, { expiresIn: '10m' }) }
})

const body = Type.Object({ user, text: Type.String({ minLength: 1, maxLength: 1000 }) })
app.post('/notify', { onRequest, schema: { body } }, async ({ body: { user, text } }) => {
  // The client reads {"topic":"notice","data":{"text":"tea is ready"}}.
  return { reached: app.processes.groups.broadcast(`user:${user}`, 'notice', { text }) }
})

if (isMain) await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
