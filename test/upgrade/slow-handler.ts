import { build, listen, record } from '../helpers.js'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Test } from 'tap'
import type { WsRelayOptions } from '../../types/relay.js'
import type { Recorder } from '../helpers.js'

interface Slow {
  app: FastifyInstance
  target: Recorder
  port: number
  /** Resolves when the handler has started. The reply is wrapped because it is a thenable. */
  begun: Promise<{ reply: FastifyReply }>
  /** Lets the handler relay and finish. */
  finish: () => void
  /** Resolves with the status in the onResponse hook. */
  responded: Promise<number>
  responses: number[]
  aborted: string[]
}

/** An application whose handler waits for `finish` and then relays. */
export async function slow (t: Test, options: WsRelayOptions = {}): Promise<Slow> {
  const app = await build(t, options)
  const target = record(app)
  let begin: (begun: { reply: FastifyReply }) => void
  let finish: () => void
  let respond: (status: number) => void
  const begun = new Promise<{ reply: FastifyReply }>((resolve) => { begin = resolve })
  const finished = new Promise<void>((resolve) => { finish = resolve })
  const responded = new Promise<number>((resolve) => { respond = resolve })
  const responses: number[] = []
  const aborted: string[] = []
  app.addHook('onRequestAbort', async (_request) => { aborted.push('hook') })
  app.addHook('onResponse', async (_, reply) => {
    responses.push(reply.statusCode)
    respond(reply.statusCode)
  })
  app.get('/', async (request, reply) => {
    request.signal.addEventListener('abort', () => { aborted.push('signal') })
    begin({ reply })
    await finished
    return reply.relay(target.pid).send()
  })
  return {
    app, target, port: await listen(app), begun, finish: finish!, responded, responses, aborted
  }
}
