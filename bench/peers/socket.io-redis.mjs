// Socket.IO with its Redis adapter, as in its documentation. The argument is the URL of Redis.
import { createServer } from 'node:http'
import { createAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import { Server } from 'socket.io'
import { announce, listenOptions, usage } from './usage.mjs'

const client = new Redis(process.argv[2])
const adapter = createAdapter(client, client.duplicate(), { requestsTimeout: 60_000 })
const io = new Server({ transports: ['websocket'], serveClient: false, adapter })

let count = 0
let limit = Infinity
let full
io.on('x', () => { if (++count === limit) full() })
// A request of the other server. It is answered when `wanted` messages have arrived.
io.on('until', (wanted, acknowledge) => {
  limit = wanted
  full = () => {
    count = 0
    limit = Infinity
    acknowledge(true)
  }
  if (count === limit) full()
})

/** Sends messages to the other server, and resolves when all have arrived. */
async function send (query) {
  const total = Number(query.get('count'))
  const text = 'x'.repeat(Number(query.get('size')))
  const done = io.serverSideEmitWithAck('until', total)
  for (let sent = 0; sent < total; await new Promise(setImmediate)) {
    for (let n = 0; n < 500 && sent < total; n++, sent++) io.serverSideEmit('x', text)
  }
  await done
}

async function nodes () {
  return JSON.stringify({ nodes: await io.of('/').adapter.serverCount() - 1 })
}

const server = createServer(async (request, response) => {
  response.setHeader('content-type', 'application/json')
  const { pathname, searchParams } = new URL(request.url, 'http://127.0.0.1')
  if (pathname === '/send') await send(searchParams)
  if (pathname === '/usage') response.end(usage(request.url))
  else response.end(pathname === '/nodes' ? await nodes() : '{}')
})
io.attach(server)

io.on('connection', (socket) => {
  const { room } = socket.handshake.query
  socket.join(room)
  socket.on('say', (data) => io.to(room).emit('say', data))
})

server.listen(listenOptions, () => announce(server))
