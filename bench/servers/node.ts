// A node of a cluster, with rooms that have members on all nodes, and a process that counts
// messages
// of another node. Arguments: the name of the engine, its URL, the name of the node.
import Fastify from 'fastify'
import wsRelay, { type Pid, type Process } from '../../lib/index.js'
import { nats } from '../../lib/cluster/engines/nats.js'
import { redis } from '../../lib/cluster/engines/redis.js'
import { listen } from './usage.js'

const [kind, url, node] = process.argv[2].split(' ')
const app = Fastify()
await app.register(wsRelay, {
  node,
  cluster: kind === 'nats' ? nats({ servers: url }) : redis({ url }),
  mailboxLimit: 1_000_000
})
const { processes } = app
const { groups, nodes } = processes.cluster!

/** The target of one room on one node. The clients of all nodes are in the group of the room. */
function room (name: string) {
  return (self: Process) => self.serve({
    'ws.join': async ({ client_pid }) => { await groups.join(name, client_pid) },
    'ws.message': ({ type, data }) => { groups.broadcast(name, 'ws.send', { type, data }) },
    'ws.leave': () => {} // a PID that has ended is in no group
  })
}

app.get<{ Params: { id: string } }>('/room/:id', (request, reply) => {
  const name = `room:${request.params.id}`
  if (processes.names.lookup(name) === undefined) processes.spawn(room(name), { name })
  reply.relay(name).send()
})

app.get('/nodes', () => ({ nodes: nodes().length }))

/** Replies when the counter has reached a number. */
const counter = processes.spawn(async (self: Process<{ x: string, until: number }>) => {
  let count = 0
  let full: (() => void) | undefined
  let limit = Infinity
  await self.serve({
    x: () => { if (++count === limit) full?.() },
    until: (wanted, { reply }) => {
      limit = wanted
      full = () => {
        count = 0
        limit = Infinity
        reply(true)
      }
      if (count === limit) full()
    }
  })
})

app.get('/counter', () => ({ pid: counter }))

/** Sends messages to a process of another node, and replies when all have arrived. */
app.get<{ Querystring: { to: Pid, count: string, size: string } }>('/send', async ({ query }) => {
  const total = Number(query.count)
  const text = 'x'.repeat(Number(query.size))
  const done = processes.call(query.to, 'until', total, { timeout: '1m' })
  // A full window accepts messages again in a moment.
  for (let sent = 0; sent < total; await new Promise(setImmediate)) {
    for (let n = 0; n < 500 && sent < total && processes.send(query.to, 'x', text); n++) sent++
  }
  await done
  return {}
})

await listen(app)
