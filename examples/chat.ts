// A process per room, under a supervisor: a room that crashes does not affect other rooms.
//   npx tsx examples/chat.ts      and open http://127.0.0.1:3000 in two windows
import Fastify from 'fastify'
import fastifyStatic from '@fastify/static'
import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Value } from '@sinclair/typebox/value'
// In your project the next import is from 'fastify-ws-relay'.
import wsRelay, { type Pid, type Process, type Processes } from '../lib/index.js'

export const maxRooms = 100
const kept = 30 // lines that a new client gets

// Valid messages of a client. They are untrusted: checked here, and limited in size by the route.
const Frame = Type.Union([
  Type.Object({ say: Type.String({ minLength: 1, maxLength: 500 }) }),
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

interface Topics { about: undefined, 'is it empty': undefined }

/** The body of a room. Its state ends with it. The sockets of its clients may be on any node. */
export async function room (self: Process<Topics>, name: string, node: string) {
  const people = new Map<Pid, { id: number, name: string }>() // clients see ids, never PIDs
  const lines: object[] = []
  let lastId = 0

  // Each client reads {"topic":"line","data":{…}}.
  const tell = (topic: 'line' | 'people', data: object) => {
    for (const pid of people.keys()) self.send(pid, topic, data)
  }
  const say = (line: { id?: number, name?: string, text: string }) => {
    lines.push(line)
    if (lines.length > kept) lines.shift()
    tell('line', line)
  }

  self.sendEvery('1m', self.pid, 'is it empty')
  await self.serve({
    'ws.join': ({ client_pid, metadata }) => {
      const person = { id: ++lastId, name: String(metadata.name) }
      people.set(client_pid, person)
      self.send(client_pid, 'welcome', { you: person.id, room: name, node, lines })
      say({ text: `${person.name} came in` })
      tell('people', [...people.values()])
    },
    'ws.message': ({ client_pid, data }) => {
      const frame = parse(data)
      if (frame === undefined) {
        self.send(client_pid, 'refused', { why: 'expected {"say": "1 to 500 characters"}' })
      } else if ('crash' in frame) throw new Error('a client asked this room to crash')
      else say({ ...people.get(client_pid), text: frame.say })
    },
    'ws.leave': ({ client_pid }) => {
      const person = people.get(client_pid)
      people.delete(client_pid)
      say({ text: `${person?.name} left` })
      tell('people', [...people.values()])
    },
    about: (_, { reply }) => { reply({ name, node, people: people.size }) },
    'is it empty': () => {
      if (people.size > 0) return
      self.names.unregister(`room:${name}`) // new clients get a new room while this one ends
      self.stop()
    }
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
    // The parameter becomes the name of a process, so it must be checked.
    params: Type.Object({ room: Type.String({ pattern: '^[a-z0-9-]{1,32}$' }) }),
    querystring: Type.Object({
      name: Type.String({ pattern: '^[\\p{L}\\p{N}][\\p{L}\\p{N} ._-]{0,23}$' })
    })
  },
  config: { wsRelay: { maxPayload: 4096 } } // a larger message closes with 1009
}

const chat: FastifyPluginAsyncTypebox = async (app) => {
  const { processes } = app
  const rooms = processes.supervise({ name: 'rooms' })
  let started = 0

  /** Starts a room unless one of this name exists. */
  function open (name: string) {
    if (processes.names.lookup(`room:${name}`) !== undefined) return true
    if (rooms.children().length >= maxRooms) return false
    // Temporary: the next client that enters starts it again. Clients cannot exhaust the
    // supervisor's `maxRestarts` by crashing rooms, and an empty room is removed.
    // A new id each time, because the last room of this name may still be ending.
    rooms.startChild({
      id: `${name} ${++started}`,
      name: `room:${name}`,
      start: room,
      args: [name, processes.node],
      restart: 'temporary'
    })
    return true
  }

  app.get('/rooms', async () => {
    const pids = rooms.children().flatMap(({ pid }) => pid ?? [])
    return await describe(processes, pids)
  })

  app.get('/rooms/:room', entrance, (request, reply) => {
    // Not for a plain GET, which the relay answers with 426.
    if (request.wsUpgradable && !open(request.params.room)) {
      return reply.code(503).send({ message: 'Too many rooms' })
    }
    const metadata = { name: request.query.name }
    return reply
      .relay(`room:${request.params.room}`, { heartbeat_interval: '30s', metadata })
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
