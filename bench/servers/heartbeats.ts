// Pings and heartbeats of every connection, each second; for bench/load/stall.ts.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import Fastify from 'fastify'
import wsRelay from '../../lib/index.js'
import { listen } from './usage.js'

const interval = 1000
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
let heartbeats = 0

const app = Fastify()
await app.register(wsRelay, { pingInterval: interval, mailboxLimit: 100_000 })

const lobby = app.processes.spawn((self) =>
  self.serve({
    'ws.heartbeat': () => {
      heartbeats++
    },
    'ws.message': ({ client_pid, type, data }) => {
      self.send(client_pid, 'ws.send', { type, data })
    },
    'ws.join': () => {},
    'ws.leave': () => {}
  })
)

app.get('/echo', (_request, reply) => {
  reply.relay(lobby, { heartbeat_interval: interval }).send()
})

const report = () => ({ stall: delay.max / 1e6, heartbeats })

app.get('/block', (_request, reply) => {
  for (const end = performance.now() + 1.5 * interval; performance.now() < end;);
  reply.send(report())
})
app.get('/reset', (_request, reply) => {
  delay.reset()
  heartbeats = 0
  reply.send(report())
})
app.get('/report', (_request, reply) => { reply.send(report()) })

await listen(app)
