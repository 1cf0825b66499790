// Statuses and codes of raw responses, and applications with the routes that most tests need: one
// with a handler that waits is `slow`.
import { build, listen, record } from '../helpers.js'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Test } from 'tap'
import type { WsRelayOptions } from '../../types/relay.js'
import type { Recorder } from '../helpers.js'

export type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown

/** The status code of a response. */
export function statusOf (text: string): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1])
}

/** The error code in the body of a response. */
export function codeOf (text: string): string | undefined {
  return /"code":"(\w+)"/.exec(text)?.[1]
}

export const dead = '999@local.zzz'

export async function withRoute (
  t: Test, handler: (target: string) => Handler
): Promise<{ app: FastifyInstance, pid: string, port: number }> {
  const app = await build(t)
  const { pid } = record(app, 'lobby')
  app.get('/', handler(pid) as never)
  return { app, pid, port: await listen(app) }
}

/** Relays `/` to a recorder; `/plain` answers when `gate` resolves. */
export function routes (app: FastifyInstance, gate: Promise<void> | undefined = undefined) {
  const target = record(app)
  app.get('/', async (_, reply) => { reply.relay(target.pid) })
  app.get('/plain', async () => {
    await gate
    return 'plain'
  })
  app.get('/last', async (_, reply) => reply.header('connection', 'close').send('last'))
  return target
}

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
