// A flood of messages into one process, together with HTTP; for bench/load/flood.ts.
import Fastify from 'fastify'
import wsRelay, { type Process } from '../../lib/index.js'
import { listen } from './usage.js'

const atOnce = 256

const app = Fastify()
await app.register(wsRelay)
const { spawn, send } = app.processes
let handled = 0
let answer: (() => void) | undefined
let wanted = 0

const sink = spawn((self: Process<{ drop: number }>) => self.serve({
  drop: () => {
    if (++handled === wanted) answer?.()
  }
}))

// A process instead of a loop in a handler: it sends as fast as the scheduler allows, without
// waiting.
const source = spawn((self: Process<{ more: number }>) => self.serve({
  more: (left) => {
    let sent = 0
    while (sent < left && sent < atOnce && self.send(sink, 'drop', sent)) sent++
    if (left > sent) self.send(self.pid, 'more', left - sent)
  }
}))

app.get('/', (_request, reply) => { reply.send({ hello: 'world' }) })

app.get<{ Querystring: { messages: string } }>('/flood', async (request) => {
  const before = performance.now()
  handled = 0
  wanted = Number(request.query.messages)
  const done = new Promise<void>((resolve) => { answer = resolve })
  send(source, 'more', wanted)
  await done
  return { handled, milliseconds: performance.now() - before }
})

await listen(app)
