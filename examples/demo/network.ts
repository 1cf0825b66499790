// Numbered messages in both directions, counted by the page and by the server, and the faults that
// the page can ask for. The page's part is public/network.js.
import type { Socket } from 'node:net'
import { Type, type Static } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
// In your project the next imports are from 'fastify-ws-relay' and 'fastify-ws-relay/protocol'.
import type { Process } from '../../lib/index.js'
import { protocol, type ClientMessages, type ClientPid } from '../../lib/protocol/index.js'

/** Asks the launcher for a fault in the connections from these ports, or for a restart. */
export type Command = { cut: number[] } | { silence: number[] } | { restart: true }

const every = 250 // milliseconds from one number to the next
const frozen = 3000
const maxPages = 1000

const countsSchema = Type.Object({
  sent: Type.Integer(), // the last number sent to the page
  // The last number of the page, and how many came, came twice or were skipped.
  last: Type.Integer(),
  received: Type.Integer(),
  doubled: Type.Integer(),
  lost: Type.Integer()
})
/** The numbers of one page. */
export type Counts = Static<typeof countsSchema>

const numbers = protocol('numbers', {
  client: {
    number: Type.Integer({ minimum: 1 }),
    had: Type.Integer({ minimum: 0 }), // the last number that the page has had
    do: Type.Union([Type.Literal('cut'), Type.Literal('freeze'), Type.Literal('restart')])
  },
  server: {
    welcome: Type.Composite([countsSchema, Type.Object({ every: Type.Integer() })]),
    number: Type.Integer(),
    counted: countsSchema,
    freezes: Type.Object({ frozen: Type.Integer() }),
    thaws: Type.Null(),
    restarts: Type.Null(),
    drains: Type.Null()
  }
})

function count (counts: Counts, n: number) {
  if (n <= counts.last) counts.doubled++
  else {
    counts.lost += n - counts.last - 1
    counts.received++
    counts.last = n
  }
}

/** A page is known again after its session has ended, so that nothing can be lost unseen. */
function countsOf (all: Map<string, Counts>, page: string) {
  const counts = all.get(page) ?? { sent: 0, last: 0, received: 0, doubled: 0, lost: 0 }
  all.delete(page)
  all.set(page, counts)
  if (all.size > maxPages) all.delete(all.keys().next().value!)
  return counts
}

interface Page { page: string, counts: Counts, isKnown?: true }
type Topics = ClientMessages<typeof numbers> &
  { tick: undefined, freeze: undefined, drain: undefined }

async function counter (
  self: Process<Topics>,
  all: Map<string, Counts>,
  faults: Record<'cut' | 'restart', (page: string) => void>
) {
  const pages = new Map<ClientPid<typeof numbers>, Page>()

  self.sendEvery(every, self.pid, 'tick')
  await self.serve({
    'ws.join': ({ client_pid, metadata }) => {
      const page = String(metadata.page)
      for (const [pid, other] of pages) {
        if (other.page === page) pages.delete(pid) // its session could not be resumed
      }
      const counts = countsOf(all, page)
      pages.set(client_pid, { page, counts })
      self.send(client_pid, 'welcome', { ...counts, every })
    },
    'ws.message': ({ client_pid, topic, data }) => {
      const from = pages.get(client_pid)
      if (from === undefined) return
      const { counts } = from
      if (topic === 'number') {
        count(counts, data)
        self.send(client_pid, 'counted', { ...counts })
      } else if (topic === 'had') {
        // As the page does: numbers that were in flight when the last session ended are sent again.
        for (let n = data + 1; n <= counts.sent; n++) self.send(client_pid, 'number', n)
        counts.sent = Math.max(counts.sent, data)
        from.isKnown = true
      } else if (data === 'freeze') {
        for (const pid of pages.keys()) self.send(pid, 'freezes', { frozen })
        self.sendAfter(50, self.pid, 'freeze') // when the pages have been told
      } else {
        if (data === 'restart') for (const pid of pages.keys()) self.send(pid, 'restarts', null)
        faults[data](from.page)
      }
    },
    'ws.leave': ({ client_pid }) => { pages.delete(client_pid) },
    tick: () => {
      for (const [pid, { counts, isKnown }] of pages) {
        if (isKnown && self.send(pid, 'number', counts.sent + 1)) counts.sent++
      }
    },
    // Blocks the thread, as a computation without `await` does: everything on this server waits,
    // plain HTTP too. A server that only stopped reading would still send.
    freeze: () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, frozen)
      for (const pid of pages.keys()) self.send(pid, 'thaws', null)
    },
    drain: () => { for (const pid of pages.keys()) self.send(pid, 'drains', null) }
  })
}

interface Query { Querystring: { page: string } }

/**
 * Adds the socket `/network`.
 *
 * @param command asks the launcher, which has the proxy, for a fault, and resolves after it
 * @param all the counts of all pages
 */
export function network (
  app: FastifyInstance, command: (command: Command) => Promise<void>, all: Map<string, Counts>
) {
  const { processes } = app
  const fail = (err: unknown) => { app.log.error(err, 'the launcher does not answer') }
  /** The sockets of each page, which has several. */
  const sockets = new Map<string, Set<Socket>>()
  const portsOf = (page: string) =>
    [...sockets.get(page) ?? []].flatMap(({ remotePort }) => remotePort ?? [])

  app.addHook<{ Querystring: { page?: unknown } }>('onRequest', (request, _reply, done) => {
    const { query: { page }, raw: { socket } } = request
    if (request.wsUpgradable && typeof page === 'string') {
      const others = sockets.get(page) ?? new Set()
      sockets.set(page, others.add(socket))
      socket.once('close', () => {
        others.delete(socket)
        if (others.size === 0) sockets.delete(page)
      })
    }
    done()
  })

  const faults = {
    cut: (page: string) => { command({ cut: portsOf(page) }).catch(fail) },
    restart: () => { command({ restart: true }).catch(fail) }
  }
  processes.supervise({
    name: 'network',
    children: [{ id: 'counter', name: 'counter', start: counter, args: [all, faults] }]
  })

  const page = Type.String({ pattern: '^[0-9a-f]{16}$' })
  const schema = { querystring: Type.Object({ page }) }
  // By a request of its own: the answer could not come over a connection that is silent.
  app.post<Query>('/network/move', { schema }, async ({ query: { page } }, reply) => {
    await command({ silence: portsOf(page) })
    reply.code(204)
  })

  const config = { wsRelay: { maxPayload: 4096 } }
  app.get<Query>('/network', { schema, config }, ({ query: { page } }, reply) => {
    reply.relay('counter', { protocol: numbers, metadata: { page } }).send()
  })
}
