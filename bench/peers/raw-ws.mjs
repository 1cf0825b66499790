// The reference: `ws` on a bare HTTP server, with the fastest options that keep it correct.
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { announce, listenOptions, usage } from './usage.mjs'

const rooms = new Map()
const sockets = new WebSocketServer({ noServer: true, clientTracking: false })

function echo (data, isBinary) {
  this.send(data, { binary: isBinary })
}

function enter (socket, id) {
  let members = rooms.get(id)
  if (members === undefined) rooms.set(id, members = new Set())
  members.add(socket)
  socket.on('close', () => members.delete(socket))
  socket.on('message', (data, isBinary) => {
    for (const member of members) member.send(data, { binary: isBinary })
  })
}

const server = createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(request.url.startsWith('/usage') ? usage(request.url) : '{}')
})
server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (client) => {
    client.on('error', () => {})
    if (request.url === '/echo') client.on('message', echo)
    else enter(client, request.url)
  })
})
server.listen(listenOptions, () => announce(server))
