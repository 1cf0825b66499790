// Statuses and codes of raw responses, and applications with the routes that most tests need.
import { build, listen, record } from '../helpers.js'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Test } from 'tap'

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
