// An agent that streams its answer word by word. A client may cancel it, or leave.
//   npx tsx examples/agent.ts      and connect to ws://127.0.0.1:3000/agent
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify, { type FastifyPluginAsync } from 'fastify'
// In your project the next import is from 'fastify-ws-relay'.
import wsRelay, { type Process } from '../lib/index.js'

/** Yours: a model that yields pieces of an answer until the signal aborts. */
async function * answer (question: string, signal: AbortSignal) {
  for (const word of `You asked: ${question}`.split(' ')) {
    yield word
    await sleep(5, undefined, { signal })
  }
}

/** The body of one conversation. It is cancelled when its client has left. */
async function conversation (self: Process) {
  let running: AbortController | undefined

  async function stream (client: string, question: string) {
    running?.abort()
    const { signal } = running = new AbortController()
    const either = AbortSignal.any([signal, self.signal])
    try {
      // Waits until the client reads: a slow one gets fewer words, and no buffer grows.
      for await (const word of answer(question, either)) await self.call(client, 'word', word)
      self.send(client, 'done', question)
    } catch {
      self.send(client, 'cancelled', question)
    }
  }

  await self.serve({
    'ws.message': ({ client_pid, data }) => {
      if (data === 'cancel') running?.abort()
      else stream(client_pid, String(data).slice(0, 1000))
    }
  })
}

const agent: FastifyPluginAsync = async (app) => {
  app.get('/agent', (_request, reply) => { reply.relay(conversation).send() })
}

export default agent

if (process.argv[1] === import.meta.filename) {
  const app = Fastify({ logger: true })
  await app.register(wsRelay)
  await app.register(agent)
  await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
}
