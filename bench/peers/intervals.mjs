// The usual way to keep connections alive, for bench/load/stall.ts: one setInterval per connection,
// which pings the client and notifies the application.
import { createServer } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { EventEmitter } from 'node:events'
import { WebSocketServer } from 'ws'
import { announce, listenOptions } from './usage.mjs'

const interval = 1000
const application = new EventEmitter()
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
let heartbeats = 0
application.on('heartbeat', () => { heartbeats++ })

const sockets = new WebSocketServer({ noServer: true, clientTracking: false })
const server = createServer((request, response) => {
  if (request.url === '/block') {
    for (const end = performance.now() + 1.5 * interval; performance.now() < end;);
  }
  if (request.url === '/reset') {
    delay.reset()
    heartbeats = 0
  }
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ stall: delay.max / 1e6, heartbeats }))
})
server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (client) => {
    const opened = performance.now()
    let messages = 0
    const timer = setInterval(() => {
      client.ping()
      application.emit('heartbeat', { client, uptime: performance.now() - opened, messages })
    }, interval)
    client.on('error', () => {})
    client.on('close', () => clearInterval(timer))
    client.on('message', (data, isBinary) => {
      messages++
      client.send(data, { binary: isBinary })
    })
  })
})
server.listen(listenOptions, () => announce(server))
