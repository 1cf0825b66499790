// `@fastify/websocket`, as in its README.
import Fastify from 'fastify'
import websocket from '@fastify/websocket'
import { announce, listenOptions, usage } from './usage.mjs'

const app = Fastify()
const rooms = new Map()
await app.register(websocket)

app.get('/usage', (request, reply) => { reply.type('application/json').send(usage(request.url)) })

app.get('/echo', { websocket: true }, (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
})

app.get('/room/:id', { websocket: true }, (socket, request) => {
  const { id } = request.params
  let members = rooms.get(id)
  if (members === undefined) rooms.set(id, members = new Set())
  members.add(socket)
  socket.on('close', () => members.delete(socket))
  socket.on('message', (data, isBinary) => {
    for (const member of members) member.send(data, { binary: isBinary })
  })
})

await app.listen(listenOptions)
announce(app.server)
