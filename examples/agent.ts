// An agent that streams its answer word by word. A client may cancel it, ask anew, or leave.
//   npx tsx examples/agent.ts
//   npx wscat -c ws://127.0.0.1:3000/agent
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
// In your project the next import is from 'fastify-ws-relay'.
import wsRelay, { type Pid, type Process } from '../lib/index.js'

const isMain = process.argv[1] === import.meta.filename
export const app = Fastify({ logger: isMain })
await app.register(wsRelay, { maxPayload: 4096 })

/** Yours: a model that yields pieces of an answer until the signal aborts. */
async function * answer (question: string, signal: AbortSignal) {
  for (const word of `You asked: ${question}`.split(' ')) yield await sleep(5, word, { signal })
}

async function stream (self: Process, client: Pid, question: string, signal: AbortSignal) {
  try {
    // Waits until the client reads: a slow one gets fewer words, and no buffer grows.
    for await (const word of answer(question, signal)) await self.call(client, 'word', word)
    self.send(client, 'done', question)
  } catch (err) {
    if (!signal.aborted && self.alive(client)) self.log.error(err)
    self.send(client, 'cancelled', question)
  }
}

/** The process of one client. It is cancelled when the client has left. */
async function conversation (self: Process) {
  let running = new AbortController()
  await self.serve({
    // The stream is not awaited: the process takes the next message meanwhile.
    'ws.message': ({ client_pid, data }) => {
      running.abort()
      if (data === 'cancel') return
      running = new AbortController()
      stream(self, client_pid, String(data), AbortSignal.any([running.signal, self.signal]))
    }
  })
}

app.get('/agent', async (_request, reply) => reply.relay(conversation))

if (isMain) await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
