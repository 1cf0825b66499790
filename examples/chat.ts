// A process per room, by its key: a room that crashes does not affect other rooms, and its people
// stay connected until it is back.
//   npx tsx examples/chat.ts      and open http://127.0.0.1:3000 in two windows
import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import fastifyStatic from '@fastify/static'
import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Value } from '@sinclair/typebox/value'
// In your project the next import is from 'fastify-ws-relay'.
import wsRelay, { type Pid, type Process, type Processes } from '../lib/index.js'

export const maxRooms = 100
const keptRooms = 1000
const kept = 30 // lines that a new client gets

// Valid messages of a client. They are untrusted: checked here, and limited in size by the route.
const Frame = Type.Union([
  Type.Object({
    say: Type.String({ minLength: 1, maxLength: 500 }),
    // A client that does not know whether a room has had its line sends it again, with this key.
    key: Type.Optional(Type.String({ pattern: '^[0-9a-f]{16}$' }))
  }),
  Type.Object({ crash: Type.Literal(true) }) // so that the demo can show what a crash looks like
])

function parse (data: unknown) {
  try {
    const frame: unknown = JSON.parse(String(data))
    return Value.Check(Frame, frame) ? frame : undefined
  } catch {
    return undefined
  }
}

interface Topics { about: undefined }
interface Line { key: string, name?: string, text: string }

/** The last lines of each room, which outlive it when it crashes. A real chat has a database. */
export type Archive = Map<string, Line[]>

/** The body of a room. The sockets of its clients may be on any node. */
export async function room (
  self: Process<Topics>, name: string, node: string, archive: Archive = new Map()
) {
  const people = new Map<Pid, { id: number, name: string }>() // clients see ids, never PIDs
  const lines = archive.get(name) ?? []
  archive.set(name, lines)
  // Only the lines of the newest rooms are kept.
  if (archive.size > keptRooms) archive.delete(archive.keys().next().value!)
  let lastId = 0

  // Each client reads {"topic":"line","data":{…}}.
  const tell = (topic: 'line' | 'people', data: object) => {
    for (const pid of people.keys()) self.send(pid, topic, data)
  }
  const say = (text: string, name?: string, key: string = randomUUID()) => {
    if (lines.some((line) => line.key === key)) return // sent again, and not lost
    const line = { key, name, text }
    lines.push(line)
    if (lines.length > kept) lines.shift()
    tell('line', line)
  }

  await self.serve({
    'ws.join': ({ client_pid, metadata, rejoined }) => {
      const person = { id: ++lastId, name: String(metadata.name) }
      people.set(client_pid, person)
      self.send(client_pid, 'welcome', { you: person.id, room: name, node, lines, rejoined })
      // After a crash they never left. A page that comes back says so.
      if (rejoined !== true && metadata.back !== true) say(`${person.name} came in`)
      tell('people', [...people.values()])
    },
    'ws.message': ({ client_pid, data }) => {
      const frame = parse(data)
      if (frame === undefined) {
        self.send(client_pid, 'refused', { why: 'expected {"say": "1 to 500 characters"}' })
      } else if ('crash' in frame) throw new Error('a client asked this room to crash')
      else say(frame.say, people.get(client_pid)?.name, frame.key)
    },
    'ws.leave': ({ client_pid, cause }) => {
      const person = people.get(client_pid)
      people.delete(client_pid)
      if (cause !== 'shutdown') say(`${person?.name} left`)
      tell('people', [...people.values()])
    },
    about: (_, { reply }) => { reply({ name, node, people: people.size }) }
  })
}

export interface About { name: string, node: string, people: number }

/** The state of all rooms that answer in time. */
export async function describe (processes: Processes, rooms: Pid[]): Promise<About[]> {
  const answers = await Promise.allSettled(
    rooms.map((pid) => processes.call(pid, 'about', undefined, { timeout: '1s' }))
  )
  return answers.flatMap((answer) => answer.status === 'fulfilled' ? [answer.value as About] : [])
}

/** The route into a room. */
export const entrance = {
  schema: {
    // The parameter becomes the key of a process, so it must be checked.
    params: Type.Object({ room: Type.String({ pattern: '^[a-z0-9-]{1,32}$' }) }),
    querystring: Type.Object({
      name: Type.String({ pattern: '^[\\p{L}\\p{N}][\\p{L}\\p{N} ._-]{0,23}$' }),
      back: Type.Optional(Type.Boolean()) // it was in the room before, with another session
    })
  },
  config: { wsRelay: { maxPayload: 4096 } } // a larger message closes with 1009
}

const chat: FastifyPluginAsyncTypebox<{ archive?: Archive }> = async (app, options) => {
  const { processes } = app
  const { archive = new Map() } = options
  const rooms = processes.keyed('room', {
    start: room,
    args: (name) => [name, processes.node, archive],
    max: maxRooms,
    maxRestarts: 10,
    backoff: { initial: '500ms', max: '5s' } // so that people see a crash
  })

  app.get('/rooms', async () => {
    return await describe(processes, rooms.list().map((name) => rooms.key(name)))
  })

  app.get('/rooms/:room', entrance, (request, reply) => {
    const { name, back } = request.query
    reply
      .relay(rooms.key(request.params.room), {
        heartbeat_interval: '30s', metadata: { name, back }
      })
      .send()
  })
}

export default chat

if (process.argv[1] === import.meta.filename) {
  const app = Fastify({ logger: true })
  await app.register(wsRelay)
  await app.register(chat)
  await app.register(fastifyStatic, { root: new URL('./demo/public', import.meta.url) })
  await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
}
