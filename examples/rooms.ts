// Chat rooms: whoever enters a room reads its last 50 messages, and then what the others write.
//   npx tsx examples/rooms.ts      and open http://127.0.0.1:3000/#tea/ada in two windows
import Fastify from 'fastify'
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
// In your project the next imports are from 'fastify-ws-relay' and 'fastify-ws-relay/protocol'.
import wsRelay, { type Process } from '../lib/index.js'
import { protocol, type ClientMessages, type DataOf } from '../lib/protocol/index.js'
import { page } from './page.js' // see `docs/client.md` for the client in a page

// Messages of clients are checked by these schemas.
const Said = Type.Object({ name: Type.String(), text: Type.String({ maxLength: 500 }) })
const chat = protocol('rooms', { client: { say: Said.properties.text }, server: { said: Said } })

const isMain = process.argv[1] === import.meta.filename
export const app = Fastify({ logger: isMain }).withTypeProvider<TypeBoxTypeProvider>()
await app.register(wsRelay, { resume: true, maxPayload: 4096 })

// A room without clients keeps its messages for an hour. Keep them in a database to have them after
// a crash or a restart of the server.
const rooms = app.processes.keyed('room', { start: room, idle: '1h' })

async function room (self: Process<ClientMessages<typeof chat>>, key: string) {
  const history: Array<DataOf<typeof Said>> = []
  await self.serve({
    'ws.join': ({ client_pid }) => {
      self.groups.join(key, client_pid) // which it leaves by itself when it ends
      for (const said of history) self.send(client_pid, 'said', said)
    },
    'ws.message': ({ data, metadata }) => {
      const said = { name: String(metadata.name), text: data }
      self.groups.broadcast(key, 'said', said)
      if (history.push(said) > 50) history.shift()
    }
  }, () => {})
}

// Both come from the client. The room becomes the key of a process, so its shape must be checked.
const params = Type.Record(Type.String(), Type.String({ pattern: '^[a-z0-9-]{1,32}$' }))
app.get('/rooms/:room/:name', { schema: { params } }, async ({ params: { room, name } }, reply) =>
  await reply.relay(rooms.key(room), { protocol: chat, metadata: { name } }))

const html = `<!doctype html>
<title>Rooms</title><link rel="icon" href="data:,">
<form id="form"><input id="text" maxlength="500" autofocus></form>
<ol id="list"></ol>
<script type="module">
  import { connect } from '/client.js'
  const socket = connect('/rooms/' + (location.hash.slice(1) || 'tea/visitor'))
  socket.on('said', ({ name, text }) => {
    list.append(Object.assign(document.createElement('li'), { textContent: name + ': ' + text }))
  })
  socket.on('state', ({ state }) => { document.title = state })
  socket.on('reset', () => { list.replaceChildren() }) // the room sends its messages again
  form.onsubmit = (event) => {
    event.preventDefault()
    if (socket.send('say', text.value)) text.value = ''
  }
</script>`
await app.register(page, { html })
if (isMain) await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
