// Chat rooms. Each room is a process: when one crashes, no other room notices it, and its people
// stay connected until it is back. To see that, say `/crash`.
//   npx tsx examples/chat.ts      and open http://127.0.0.1:3000 in two windows
import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import { Type, type FastifyPluginAsyncTypebox, type Static } from '@fastify/type-provider-typebox'
// In your project the next imports are from 'fastify-ws-relay' and 'fastify-ws-relay/protocol'.
import wsRelay, { type Process } from '../lib/index.js'
import { protocol, type ClientMessages, type ClientPid } from '../lib/protocol/index.js'
import { servePage } from './demo/page.js'

// Only messages like `say` reach a room. A client that does not know whether the room has had its
// line sends it again, with the same key.
const key = Type.String({ minLength: 1, maxLength: 36 })
const text = Type.String({ minLength: 1, maxLength: 500 })
const line = Type.Object({ key, text, name: Type.Optional(Type.String()) })
const chat = protocol('chat', {
  client: { say: Type.Object({ key, text }) },
  server: {
    line,
    welcome: Type.Object({ node: Type.String(), again: Type.Boolean(), lines: Type.Array(line) }),
    people: Type.Array(Type.String())
  }
})

export type Line = Static<typeof line>
type Self = Process<ClientMessages<typeof chat> & { about: undefined }>

/** The process of a room. A real chat has the earlier lines in a database. */
export async function room (self: Self, room: string, lines: Line[] = []) {
  const people = new Map<ClientPid<typeof chat>, string>() // with their names
  const showPeople = () => {
    const names = [...people.values()]
    for (const pid of people.keys()) self.send(pid, 'people', names)
  }
  const add = (text: string, name?: string, key: string = randomUUID()) => {
    const line = { key, text, name }
    if (lines.push(line) > 30) lines.shift()
    for (const pid of people.keys()) self.send(pid, 'line', line)
  }

  await self.serve({
    'ws.join': ({ client_pid, metadata, rejoined = false }) => {
      const name = String(metadata.name)
      people.set(client_pid, name)
      self.send(client_pid, 'welcome', { node: self.node, again: rejoined, lines: [...lines] })
      if (!rejoined && !metadata.back) add(`${name} came in`)
      showPeople()
    },
    'ws.message': ({ data: { key, text }, metadata }) => {
      if (text === '/crash') throw new Error('a client asked this room to crash')
      if (lines.every((line) => line.key !== key)) add(text, String(metadata.name), key)
    },
    'ws.leave': ({ client_pid, cause, metadata }) => {
      people.delete(client_pid)
      if (cause !== 'shutdown') add(`${String(metadata.name)} left`)
      showPeople()
    },
    about: (_, { reply }) => { reply({ name: room, node: self.node, people: people.size }) }
  })
}

// The client chooses its room, which becomes the key of a process, and its name.
const params = Type.Object({ room: Type.String({ pattern: '^[a-z0-9-]{1,32}$' }) })
const name = Type.String({ pattern: '^[\\p{L}\\p{N}][\\p{L}\\p{N} ._-]{0,23}$' })
const back = Type.Optional(Type.Boolean()) // it was in the room before, with another session
const schema = { params, querystring: Type.Object({ name, back }) }
const config = { wsRelay: { maxPayload: 4096 } } // bytes

type Options = { start?: (self: Self, room: string) => Promise<void> }
const routes: FastifyPluginAsyncTypebox<Options> = async (app, { start = room }) => {
  const backoff = { initial: '500ms', max: '5s' } // so that people see a crash
  const rooms = app.processes.keyed('room', { start, max: 100, maxRestarts: 10, backoff })
  app.get('/rooms/:room', { schema, config }, async ({ params, query: { name, back } }, reply) =>
    await reply.relay(rooms.key(params.room), { protocol: chat, metadata: { name, back } }))
}
export default routes

if (process.argv[1] === import.meta.filename) {
  const app = Fastify({ logger: true })
  await app.register(wsRelay, { resume: true })
  await app.register(routes)
  await servePage(app, ['chat'])
  await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
}
