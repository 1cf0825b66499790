// A help desk: a bot answers, and hands a visitor over to a human and back. Each hand-over is one
// `ws.control`: the socket stays open, and no message of the visitor is lost, doubled or reordered.
//   npx tsx examples/desk.ts      and open http://127.0.0.1:3000 in two windows
import Fastify from 'fastify'
import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
// In your project the next imports are from 'fastify-ws-relay' and 'fastify-ws-relay/protocol'.
import wsRelay, { type Pid, type Process } from '../lib/index.js'
import { protocol, type ClientMessages, type ClientPid } from '../lib/protocol/index.js'
import { servePage } from './demo/page.js'

interface Line { from: string, text: string }
/** A visitor of an operator. Clients see the id, never a PID. */
interface Visitor { id: number, name: string, lines: Line[] }

// Only messages like those under `client` reach a process.
const text = Type.String({ minLength: 1, maxLength: 500 })
const id = Type.Integer()
const line = Type.Object({ from: Type.String(), text: Type.String() })
const visitorMessages = protocol('visitors', {
  client: { say: Type.Object({ n: Type.Integer({ minimum: 1 }), text }) }, // n counts the messages
  server: {
    with: Type.Object({
      who: Type.String(), name: Type.Optional(Type.String()), position: Type.Optional(id)
    }),
    line,
    got: Type.Object({ n: Type.Integer(), by: Type.String() }) // the reader of message n
  }
})
const operatorMessages = protocol('operators', {
  client: { take: Type.Null(), say: Type.Object({ visitor: id, text }), back: id },
  server: {
    waiting: Type.Integer(),
    visitor: Type.Object({ visitor: id, name: Type.String() }),
    file: Type.Object({ visitor: id, lines: Type.Array(line) }), // the earlier lines
    line: Type.Composite([line, Type.Object({ visitor: id })]),
    gone: Type.Object({ visitor: id, why: Type.String() })
  }
})

type VisitorPid = ClientPid<typeof visitorMessages>
/** The conversation so far. At a hand-over it goes to the new process. */
interface CaseFile { visitor: VisitorPid, lines: Line[] }
type Visits = ClientMessages<typeof visitorMessages> & { file: CaseFile }

/** Limits the length of a conversation. */
function keep (lines: Line[] = [], line: Line) {
  lines.push(line)
  if (lines.length > 200) lines.shift()
}

const answers: Array<[RegExp, string]> = [
  [/hour|open/i, 'We are here from 9 to 17 o’clock, Monday to Friday.'],
  [/price|cost|much/i, 'The small one is 10, the large one 25.'],
  [/^message \d/i, ''], // the page's numbered messages: counted, not answered
  [/./, 'I am only a bot: I know our hours and prices. For the rest say “human please”.']
]

/** Talks to every visitor without an operator, and keeps the queue of those who want one. */
async function bot (self: Process<Visits & { take: undefined, 'how many': undefined }>) {
  const visitors = new Map<VisitorPid, { name: string, lines: Line[], operator?: Pid }>()
  let queue: VisitorPid[] = []

  const changeQueue = (pids: VisitorPid[]) => {
    queue = pids
    queue.forEach((pid, index) => self.send(pid, 'with', { who: 'queue', position: index + 1 }))
    self.groups.broadcast('operators', 'waiting', queue.length)
  }
  const say = (pid: VisitorPid, text: string) => {
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
    'ws.message': ({ client_pid, data: { n, text } }) => {
      const visitor = visitors.get(client_pid)
      if (visitor === undefined) return
      keep(visitor.lines, { from: visitor.name, text })
      self.send(client_pid, 'got', { n, by: 'Bot' })
      if (!/\bhuman\b/i.test(text)) {
        const [, answer] = answers.find(([pattern]) => pattern.test(text)) ?? []
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
async function operator (
  self: Process<Visits & ClientMessages<typeof operatorMessages, 'operator.message'> & {
    waiting: number
  }>,
  name: string
) {
  const joined = await self.receive({ topic: 'ws.join', timeout: '30s' })
  if (joined === undefined) return // the upgrade has failed

  const me: ClientPid<typeof operatorMessages> = joined.payload.client_pid
  const visitors = new Map<VisitorPid, Visitor>()
  let lastId = 0
  let onDuty = true

  const giveBack = async (pid: VisitorPid) => {
    try {
      const metadata = { name: visitors.get(pid)?.name, back: true }
      await self.call(pid, 'ws.control', { target_pid: 'bot', metadata })
    } catch {
      self.send(pid, 'ws.close', { code: 1013, reason: 'nobody can talk to you now' })
    }
  }
  const show = ({ id, lines }: Visitor, line: Line) => {
    keep(lines, line)
    self.send(me, 'line', { visitor: id, ...line })
  }

  self.groups.join('operators', self.pid) // the process leaves the group when it ends
  self.send(me, 'waiting', (await self.call('bot', 'how many') as { waiting: number }).waiting)

  await self.serve({
    'ws.join': async ({ client_pid, metadata }) => {
      visitors.set(client_pid, { id: ++lastId, name: String(metadata.name), lines: [] })
      if (onDuty) {
        self.send(client_pid, 'with', { who: 'human', name })
        self.send(me, 'visitor', { visitor: lastId, name: String(metadata.name) })
      } else {
        await giveBack(client_pid) // the hand-over was in flight while the operator left
      }
    },
    'ws.message': ({ client_pid, data: { n, text } }) => {
      const visitor = visitors.get(client_pid)
      if (visitor === undefined) return
      self.send(client_pid, 'got', { n, by: name })
      show(visitor, { from: visitor.name, text })
    },
    'operator.message': async ({ topic, data }) => {
      if (topic === 'take') {
        self.send('bot', 'take')
        return
      }
      const id = topic === 'back' ? data : data.visitor
      const [pid, visitor] = [...visitors].find(([, visitor]) => visitor.id === id) ?? []
      if (pid === undefined || visitor === undefined) return
      if (topic === 'back') await giveBack(pid)
      else {
        self.send(pid, 'line', { from: name, text: data.text })
        show(visitor, { from: name, text: data.text })
      }
    },
    'ws.leave': async ({ client_pid: pid, cause }) => {
      if (pid === me) {
        onDuty = false
        self.groups.leave('operators', self.pid)
        for (const visitor of visitors.keys()) await giveBack(visitor)
      } else {
        const { id = 0, lines = [] } = visitors.get(pid) ?? {}
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
    reply.relay('bot', { protocol: visitorMessages, metadata: { name: request.query.name } }).send()
  })

  // In production an `onRequest` hook guards this route. It runs before the upgrade.
  app.get('/desk/operator', { schema, config }, (request, reply) => {
    // Not `reply.relay(operator)`: the process outlives its socket, and gives its visitors back to
    // the bot. A plain GET starts no process: the relay answers 426 for any target.
    const target = request.wsUpgradable
      ? app.processes.spawn(operator, { args: [request.query.name] })
      : 'bot'
    reply
      .relay(target, { protocol: operatorMessages, message_topic: 'operator.message' })
      .send()
  })

  app.get('/desk/status', () => app.processes.call('bot', 'how many'))
}

export default desk

if (process.argv[1] === import.meta.filename) {
  const app = Fastify({ logger: true })
  await app.register(wsRelay)
  await app.register(desk)
  await servePage(app, ['desk'])
  await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
}
