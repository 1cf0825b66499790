// An agent that streams its answer word by word. A client may cancel it, ask anew, or leave.
//   npx tsx examples/agent.ts      and open http://127.0.0.1:3000
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import { Type } from '@sinclair/typebox'
// In your project the next imports are from 'fastify-ws-relay' and 'fastify-ws-relay/protocol'.
import wsRelay, { type Process } from '../lib/index.js'
import { Call, protocol, type ClientMessages } from '../lib/protocol/index.js'
import { page } from './page.js' // see `docs/client.md` for the client in a page

const isMain = process.argv[1] === import.meta.filename
export const app = Fastify({ logger: isMain })
await app.register(wsRelay, { maxPayload: 4096, resume: true })

// The client calls `ask`, and is sent the words of the answer before the call is answered.
const Ask = Call({ data: Type.String({ maxLength: 1000 }), reply: Type.Literal('done') })
const client = { ask: Ask, cancel: Type.Null() }
const agent = protocol('agent', { client, server: { word: Type.String() } })

/** Yours: a model that passes on the pieces of an answer until the signal aborts. */
async function answer (text: string, signal: AbortSignal, tell: (word: string) => unknown) {
  for (const word of `You asked: ${text}`.split(' ')) await tell(await sleep(5, word, { signal }))
}

/** The process of one client. It is cancelled when the client has left. */
async function conversation (self: Process<ClientMessages<typeof agent>>) {
  let running = new AbortController()
  await self.serve({
    'ws.message': ({ client_pid, topic, data }, { reply, fail }) => {
      running.abort({ code: 'CANCELLED', message: 'the answer was cancelled' })
      if (topic === 'cancel') return
      running = new AbortController()
      const signal = AbortSignal.any([running.signal, self.signal])
      // Each word waits until the client reads: a slow one gets fewer, and no buffer grows. The
      // answer is not awaited: the process takes the next message meanwhile.
      answer(data, signal, (word) => self.call(client_pid, 'word', word))
        .then(() => { reply('done') }, (err) => { fail(signal.reason ?? err) })
    }
  })
}

app.get('/agent', async (_request, reply) => reply.relay(conversation, { protocol: agent }))

const html = `<!doctype html>
<title>Agent</title><link rel="icon" href="data:,">
<form id="form"><input id="text" maxlength="1000" autofocus>
  <button type="button" id="cancel">Cancel</button></form>
<p id="answer"></p>
<script type="module">
  import { connect } from '/client.js'
  const socket = connect('/agent')
  socket.on('word', (word) => { answer.append(word + ' ') })
  cancel.onclick = () => { socket.send('cancel', null) }
  form.onsubmit = (event) => {
    event.preventDefault()
    answer.replaceChildren()
    socket.call('ask', text.value, { timeout: 600_000 })
      .catch(({ code }) => { answer.append('(' + code + ')') })
  }
</script>`
await app.register(page, { html })
if (isMain) await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
