// Numbered messages in both directions, counted by the page and by the server, and the faults that
// the page can ask for. The page's part is public/network.js.
import type { Socket } from 'node:net'
import { Type } from '@fastify/type-provider-typebox'
import { Value } from '@sinclair/typebox/value'
import type { FastifyInstance } from 'fastify'
import type { Pid, Process } from '../../lib/index.js' // in your project: 'fastify-ws-relay'

/** Asks the launcher for a fault in the connections from these ports, or for a restart. */
export type Command = { cut: number[] } | { silence: number[] } | { restart: true }

const every = 250 // milliseconds from one number to the next
const frozen = 3000
const maxPages = 1000

/** The numbers of one page. */
export interface Counts {
  /** The last number sent to the page. */
  sent: number
  /** The last number of the page, and how many came, came twice or were skipped. */
  last: number
  received: number
  doubled: number
  lost: number
}

const Frame = Type.Union([
  Type.Object({ n: Type.Integer({ minimum: 1 }) }),
  Type.Object({ had: Type.Integer({ minimum: 0 }) }), // the last number that the page has had
  Type.Object({
    do: Type.Union(['cut', 'freeze', 'restart'].map((fault) => Type.Literal(fault)))
  })
])

function parse (data: unknown) {
  try {
    const frame: unknown = JSON.parse(String(data))
    return Value.Check(Frame, frame) ? frame : undefined
  } catch {
    return undefined
  }
}

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

type Fault = (page: string) => void

async function counter (
  self: Process<{
    tick: undefined, freeze: undefined, drain: undefined, 'are you done': undefined
  }>,
  all: Map<string, Counts>,
  faults: Record<string, Fault>
) {
  const pages = new Map<Pid, { page: string, counts: Counts, isKnown?: true }>()

  self.sendEvery(every, self.pid, 'tick')
  await self.serve({
    'ws.join': ({ client_pid, metadata }) => {
      const page = String(metadata.page)
      for (const [pid, other] of pages) {
        if (other.page === page) pages.delete(pid) // its session could not be resumed
      }
      const counts = countsOf(all, page)
      pages.set(client_pid, { page, counts })
      self.send(client_pid, 'welcome', { ...counts, every, frozen })
    },
    'ws.message': ({ client_pid, data }) => {
      const frame = parse(data)
      const from = pages.get(client_pid)
      if (frame === undefined || from === undefined) return
      if ('n' in frame) {
        count(from.counts, frame.n)
        self.send(client_pid, 'counted', from.counts)
        return
      }
      if ('had' in frame) {
        // Numbers that were in flight when the last session ended are sent again, as the page does.
        const { counts } = from
        for (let n = frame.had + 1; n <= counts.sent; n++) self.send(client_pid, 'number', { n })
        counts.sent = Math.max(counts.sent, frame.had)
        from.isKnown = true
        return
      }
      if (frame.do === 'restart') for (const pid of pages.keys()) self.send(pid, 'restarts', {})
      if (frame.do !== 'freeze') return faults[frame.do](from.page)
      for (const pid of pages.keys()) self.send(pid, 'freezes', { frozen })
      self.sendAfter(50, self.pid, 'freeze') // when the pages have been told
    },
    'ws.leave': ({ client_pid }) => { pages.delete(client_pid) },
    tick: () => {
      for (const [pid, { counts, isKnown }] of pages) {
        if (isKnown && self.send(pid, 'number', { n: counts.sent + 1 })) counts.sent++
      }
    },
    // Blocks the thread, as a computation without `await` does: everything on this server waits,
    // plain HTTP too. A server that only stopped reading would still send.
    freeze: () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, frozen)
      for (const pid of pages.keys()) self.send(pid, 'thaws', {})
    },
    drain: () => { for (const pid of pages.keys()) self.send(pid, 'drains', {}) },
    'are you done': (_, { reply }) => { reply() }
  })
}

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

  const Page = Type.String({ pattern: '^[0-9a-f]{16}$' })
  // By a request of its own: the answer could not come over a connection that is silent.
  app.post<{ Querystring: { page: string } }>('/network/move', {
    schema: { querystring: Type.Object({ page: Page }) }
  }, async (request, reply) => {
    await command({ silence: portsOf(request.query.page) })
    reply.code(204)
  })

  const schema = { querystring: Type.Object({ page: Type.Optional(Page) }) }
  app.get<{ Querystring: { page?: string } }>('/network', {
    schema, config: { wsRelay: { maxPayload: 4096 } }
  }, (request, reply) => {
    const { page } = request.query
    if (!request.wsUpgradable) return reply.send({ every, frozen }) // to a page that looks for it
    if (page === undefined) return reply.code(400).send({ message: 'The page has no name' })
    return reply.relay('counter', { heartbeat_interval: '30s', metadata: { page } }).send()
  })
}
