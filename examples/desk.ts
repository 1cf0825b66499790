// A help desk: a bot answers, and hands a visitor over to a human and back. Each hand-over is one
// `ws.control`: the socket stays open, and no message of the visitor is lost, doubled or reordered.
//   npx tsx examples/desk.ts      and open http://127.0.0.1:3000 in two windows
import Fastify from 'fastify'
import fastifyStatic from '@fastify/static'
import {
  Type,
  type FastifyPluginAsyncTypebox,
  type Static,
  type TSchema
} from '@fastify/type-provider-typebox'
import { Value } from '@sinclair/typebox/value'
// In your project the next import is from 'fastify-ws-relay'.
import wsRelay, { type Pid, type Process } from '../lib/index.js'

interface Line { from: string, text: string }
/** The conversation so far. At a hand-over it goes to the new process. */
interface CaseFile { visitor: Pid, lines: Line[] }
/** A visitor of an operator. Clients see the id, never a PID. */
interface Visitor { id: number, name: string, lines: Line[] }

// Valid messages of clients. They are untrusted: checked here, and limited in size by the routes.
const Text = Type.String({ minLength: 1, maxLength: 500 })
const VisitorFrame = Type.Object({ n: Type.Integer({ minimum: 1 }), say: Text })
const OperatorFrame = Type.Union([
  Type.Object({ take: Type.Literal(true) }),
  Type.Object({ visitor: Type.Integer(), say: Text }),
  Type.Object({ visitor: Type.Integer(), back: Type.Literal(true) })
])

function parse<T extends TSchema> (schema: T, data: unknown): Static<T> | undefined {
  try {
    const frame: unknown = JSON.parse(String(data))
    return Value.Check(schema, frame) ? frame : undefined
  } catch {
    return undefined
  }
}

/** Limits the length of a conversation. */
function keep (lines: Line[] = [], line: Line) {
  lines.push(line)
  if (lines.length > 200) lines.shift()
}

const expected = 'expected {"n": 1, "say": "1 to 500 characters"}'
const answers: Array<[RegExp, string]> = [
  [/hour|open/i, 'We are here from 9 to 17 o’clock, Monday to Friday.'],
  [/price|cost|much/i, 'The small one is 10, the large one 25.'],
  [/^message \d/i, ''], // the page's numbered messages: counted, not answered
  [/./, 'I am only a bot: I know our hours and prices. For the rest say “human please”.']
]

/** Talks to every visitor without an operator, and keeps the queue of those who want one. */
async function bot (self: Process<{ file: CaseFile, take: undefined, 'how many': undefined }>) {
  const visitors = new Map<Pid, { name: string, lines: Line[], operator?: Pid }>()
  let queue: Pid[] = []

  const changeQueue = (pids: Pid[]) => {
    queue = pids
    queue.forEach((pid, index) => self.send(pid, 'with', { who: 'queue', position: index + 1 }))
    self.groups.broadcast('operators', 'waiting', queue.length)
  }
  const say = (pid: Pid, text: string) => {
    keep(visitors.get(pid)?.lines, { from: 'Bot', text })
    self.send(pid, 'line', { from: 'Bot', text }) // the client reads {"topic":"line","data":{…}}
  }

  await self.serve({
    'ws.join': ({ client_pid, metadata }) => {
      const name = String(metadata.name)
      visitors.set(client_pid, { name, lines: [] })
      self.send(client_pid, 'with', { who: 'bot', name: 'Bot' })
      say(client_pid, metadata.back === true
        ? 'It is me again, the bot. Anything else?'
        : `Hello ${name}! Ask me about hours or prices, or say “human please”.`)
    },
    'ws.message': ({ client_pid, data }) => {
      const frame = parse(VisitorFrame, data)
      const visitor = visitors.get(client_pid)
      if (frame === undefined || visitor === undefined) {
        self.send(client_pid, 'refused', { why: expected })
        return
      }
      keep(visitor.lines, { from: visitor.name, text: frame.say })
      self.send(client_pid, 'got', { n: frame.n, by: 'Bot' })
      if (!/\bhuman\b/i.test(frame.say)) {
        const [, answer] = answers.find(([pattern]) => pattern.test(frame.say)) ?? []
        if (answer) say(client_pid, answer)
      } else if (!queue.includes(client_pid)) {
        const here = self.groups.members('operators').length > 0
        say(client_pid, here
          ? 'Somebody will be with you in a moment.'
          : 'Nobody is at the desk right now: I keep your place.')
        changeQueue([...queue, client_pid])
      }
    },
    take: async (_, { from: operator }) => {
      const [pid] = queue
      const visitor = visitors.get(pid)
      if (visitor === undefined || operator === undefined) return
      visitor.operator = operator
      try {
        const metadata = { name: visitor.name }
        await self.call(pid, 'ws.control', { target_pid: operator, metadata })
        changeQueue(queue.filter((other) => other !== pid))
      } catch {
        // All or nothing: the operator has left, so the visitor stays with the bot.
      }
    },
    'ws.leave': ({ client_pid: pid, cause }) => {
      // The last message from this visitor: the conversation is complete, and can be passed on.
      const { lines = [], operator } = visitors.get(pid) ?? {}
      visitors.delete(pid)
      if (cause === 'transfer' && operator !== undefined) {
        self.send(operator, 'file', { visitor: pid, lines })
      }
      if (queue.includes(pid)) changeQueue(queue.filter((other) => other !== pid))
    },
    file: ({ visitor, lines }) => { visitors.get(visitor)?.lines.unshift(...lines) },
    'how many': (_, { reply }) => {
      reply({ waiting: queue.length, operators: self.groups.members('operators').length })
    }
  })
}

/** An operator on duty: the target of the operator's socket and of all their visitors. */
async function operator (self: Process<{ file: CaseFile, waiting: number }>, name: string) {
  const joined = await self.receive({ topic: 'ws.join', timeout: '30s' })
  if (joined === undefined) return // the upgrade has failed

  const me = joined.payload.client_pid
  const visitors = new Map<Pid, Visitor>()
  let lastId = 0
  let onDuty = true

  const giveBack = async (pid: Pid) => {
    try {
      const metadata = { name: visitors.get(pid)?.name, back: true }
      await self.call(pid, 'ws.control', { target_pid: 'bot', metadata })
    } catch {
      self.send(pid, 'ws.close', { code: 1013, reason: 'nobody can talk to you now' })
    }
  }
  const hear = (pid: Pid, frame?: Static<typeof VisitorFrame>) => {
    const visitor = visitors.get(pid)
    if (frame === undefined || visitor === undefined) {
      self.send(pid, 'refused', { why: expected })
      return
    }
    keep(visitor.lines, { from: visitor.name, text: frame.say })
    self.send(pid, 'got', { n: frame.n, by: name })
    self.send(me, 'line', { visitor: visitor.id, from: visitor.name, text: frame.say })
  }
  const obey = async (frame?: Static<typeof OperatorFrame>) => {
    if (frame === undefined) {
      const why = 'expected {"take": true}, or a "visitor" with "say" or "back"'
      self.send(me, 'refused', { why })
      return
    }
    if ('take' in frame) {
      self.send('bot', 'take')
      return
    }
    const [pid, visitor] = [...visitors].find(([, { id }]) => id === frame.visitor) ?? []
    if (pid === undefined || visitor === undefined) return
    if ('back' in frame) await giveBack(pid)
    else {
      keep(visitor.lines, { from: name, text: frame.say })
      self.send(pid, 'line', { from: name, text: frame.say })
      self.send(me, 'line', { visitor: visitor.id, from: name, text: frame.say })
    }
  }

  self.groups.join('operators', self.pid) // the process leaves the group when it ends
  self.send(me, 'waiting', (await self.call('bot', 'how many') as { waiting: number }).waiting)

  await self.serve({
    'ws.join': async ({ client_pid, metadata }) => {
      visitors.set(client_pid, { id: ++lastId, name: String(metadata.name), lines: [] })
      if (onDuty) {
        self.send(client_pid, 'with', { who: 'human', name })
        self.send(me, 'visitor', { visitor: lastId, name: metadata.name })
      } else {
        await giveBack(client_pid) // the hand-over was in flight while the operator left
      }
    },
    'ws.message': ({ client_pid, data }) => {
      if (client_pid === me) return obey(parse(OperatorFrame, data))
      return hear(client_pid, parse(VisitorFrame, data))
    },
    'ws.leave': async ({ client_pid: pid, cause }) => {
      if (pid === me) {
        onDuty = false
        self.groups.leave('operators', self.pid)
        for (const visitor of visitors.keys()) await giveBack(visitor)
      } else {
        const { id, lines = [] } = visitors.get(pid) ?? {}
        visitors.delete(pid)
        if (cause === 'transfer') self.send('bot', 'file', { visitor: pid, lines })
        const reasons: Partial<Record<string, string>> = {
          transfer: 'is with the bot again', shutdown: 'has to connect again'
        }
        self.send(me, 'gone', { visitor: id, why: reasons[cause] ?? 'left' })
      }
      // Ends only after the last message of the last visitor.
      if (!onDuty && visitors.size === 0) self.stop()
    },
    file: ({ visitor: pid, lines }) => {
      const visitor = visitors.get(pid)
      visitor?.lines.unshift(...lines)
      if (visitor !== undefined) self.send(me, 'file', { visitor: visitor.id, lines })
    },
    waiting: (count) => { self.send(me, 'waiting', count) }
  })
}

const desk: FastifyPluginAsyncTypebox = async (app) => {
  app.processes.supervise({ name: 'desk', children: [{ id: 'bot', name: 'bot', start: bot }] })

  const schema = {
    querystring: Type.Object({
      name: Type.String({ pattern: '^[\\p{L}\\p{N}][\\p{L}\\p{N} ._-]{0,23}$' })
    })
  }
  const config = { wsRelay: { maxPayload: 4096 } } // a larger message closes with 1009

  app.get('/desk', { schema, config }, (request, reply) => {
    reply.relay('bot', { heartbeat_interval: '30s', metadata: { name: request.query.name } }).send()
  })

  // In production an `onRequest` hook guards this route. It runs before the upgrade.
  app.get('/desk/operator', { schema, config }, (request, reply) => {
    // Not `reply.relay(operator)`: the process outlives its socket, and gives its visitors back to
    // the bot. A plain GET starts no process: the relay answers 426 for any target.
    const target = request.wsUpgradable
      ? app.processes.spawn(operator, { args: [request.query.name] })
      : 'bot'
    reply.relay(target, { heartbeat_interval: '30s' }).send()
  })

  app.get('/desk/status', () => app.processes.call('bot', 'how many'))
}

export default desk

if (process.argv[1] === import.meta.filename) {
  const app = Fastify({ logger: true })
  await app.register(wsRelay)
  await app.register(desk)
  await app.register(fastifyStatic, { root: new URL('./demo/public', import.meta.url) })
  await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
}
