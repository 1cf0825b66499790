// Socket.IO over its WebSocket transport, as in its documentation.
import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { announce, listenOptions, usage } from './usage.mjs'

const server = createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(request.url.startsWith('/usage') ? usage(request.url) : '{}')
})
const io = new Server(server, { transports: ['websocket'], serveClient: false })

io.on('connection', (socket) => {
  const { room } = socket.handshake.query
  if (room === undefined) {
    socket.on('say', (data) => socket.emit('say', data))
  } else {
    socket.join(room)
    socket.on('say', (data) => io.to(room).emit('say', data))
  }
})

server.listen(listenOptions, () => announce(server))
