// Chat rooms: whoever enters a room reads its last 50 messages, and then what the others write.
//   npx tsx examples/rooms.ts
//   npx wscat -c 'ws://127.0.0.1:3000/rooms/tea?name=ada'
import Fastify from 'fastify'
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
// In your project the next import is from 'fastify-ws-relay'.
import wsRelay, { type Pid, type Process } from '../lib/index.js'

interface Said { name: unknown, text: string }

const isMain = process.argv[1] === import.meta.filename
export const app = Fastify({ logger: isMain }).withTypeProvider<TypeBoxTypeProvider>()
await app.register(wsRelay, { resume: true, maxPayload: 4096 })

// A room without clients keeps its messages for an hour. Keep them in a database to have them after
// a crash or a restart of the server.
const rooms = app.processes.keyed('room', { start: room, idle: '1h' })

async function room (self: Process) {
  const clients = new Set<Pid>()
  const history: Said[] = []
  await self.serve({
    'ws.join': ({ client_pid }) => {
      clients.add(client_pid)
      self.send(client_pid, 'history', history)
    },
    'ws.message': ({ data, metadata }) => {
      const said = { name: metadata.name, text: String(data) }
      for (const pid of clients) self.send(pid, 'said', said)
      if (history.push(said) > 50) history.shift()
    },
    'ws.leave': ({ client_pid }) => { clients.delete(client_pid) }
  })
}

// Both come from the client. The room becomes the key of a process, so its shape must be checked.
const params = Type.Object({ room: Type.String({ pattern: '^[a-z0-9-]{1,32}$' }) })
const querystring = Type.Object({ name: Type.String({ minLength: 1, maxLength: 24 }) })
app.get('/rooms/:room', { schema: { params, querystring } }, async (request, reply) => {
  return reply.relay(rooms.key(request.params.room), { metadata: request.query })
})

if (isMain) await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
