// Notices for all devices of a user. A login gives a token, and sockets end when it expires.
//   npx tsx examples/notify.ts      and open http://127.0.0.1:3000/#ada and …/#grace
import { randomUUID } from 'node:crypto'
import Fastify, { type FastifyRequest } from 'fastify'
import fastifyJwt from '@fastify/jwt'
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
// In your project the next imports are from 'fastify-ws-relay' and 'fastify-ws-relay/protocol'.
import wsRelay from '../lib/index.js'
import { protocol } from '../lib/protocol/index.js'
import { page } from './page.js' // see `docs/client.md` for the client in a page

declare module '@fastify/jwt' {
  interface FastifyJWT { payload: { sub: string }, user: { sub: string, exp: number } }
}

const isMain = process.argv[1] === import.meta.filename
export const app = Fastify({ logger: isMain }).withTypeProvider<TypeBoxTypeProvider>()
await app.register(wsRelay, { resume: true })
// A browser can set no header of a WebSocket, so the token is in the query string.
const extractToken = ({ query }: FastifyRequest) => (query as { token?: string }).token
await app.register(fastifyJwt, { secret: randomUUID(), verify: { extractToken } })
const onRequest = async (request: FastifyRequest) => await request.jwtVerify()

// The target of every connection. A connection leaves its group by itself when it ends.
const registrar = app.processes.spawn((self) => self.serve({
  'ws.join': ({ client_pid, metadata: { sub } }) => { self.groups.join(String(sub), client_pid) }
}, () => {}), { name: 'registrar' })
// Clients only read: the protocol has no topic of theirs.
const notices = protocol('notices', { server: { notice: Type.String() } })
app.get('/notices', { onRequest }, async ({ user: { sub, exp } }, reply) =>
  await reply.relay(registrar, { protocol: notices, metadata: { sub }, expires_at: 1000 * exp }))

// Yours: a look at the password.
const user = Type.String({ pattern: '^[a-z0-9-]{1,32}$' })
app.post('/login', { schema: { body: Type.Object({ user }) } }, async ({ body }) =>
  ({ token: app.jwt.sign({ sub: body.user }, { expiresIn: '10m' }) }))

const body = Type.Object({ user, text: Type.String({ maxLength: 1000 }) })
app.post('/notify', { onRequest, schema: { body } }, async ({ body: { user, text } }) =>
  ({ reached: app.processes.groups.broadcast(user, 'notice', text) }))

const html = `<!doctype html>
<title>Notices</title><link rel="icon" href="data:,">
<form id="form"><input id="to" value="ada"><input id="text" autofocus><button>Send</button></form>
<ol id="list"></ol>
<script type="module">
  import { connect } from '/client.js'
  const post = async (path, body) => await (await fetch(path, { method: 'POST',
    headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).json()
  const logIn = async () => (await post('/login', { user: location.hash.slice(1) || 'ada' })).token
  // Each try has a fresh token, also after the old one has expired (1008).
  const socket = connect(async () => '/notices?token=' + await logIn(), { reconnect: () => true })
  socket.on('state', ({ state }) => { document.title = state })
  socket.on('notice', (text) => {
    list.append(Object.assign(document.createElement('li'), { textContent: text }))
  })
  form.onsubmit = async (event) => {
    event.preventDefault()
    await post('/notify?token=' + await logIn(), { user: to.value, text: text.value })
  }
</script>`
await app.register(page, { html })
if (isMain) await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
