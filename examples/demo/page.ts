// The page of the demos, with a policy that allows no other origin.
import fastifyStatic from '@fastify/static'
import { client } from '../page.js'
import type { FastifyInstance } from 'fastify'

/** Serves the page. `servers` are other servers that it may connect to, as `http://host:port`. */
export async function servePage (app: FastifyInstance, servers: string[] = []) {
  const sockets = servers.map((address) => address.replace(/^http/, 'ws'))
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    ["connect-src 'self'", ...sockets].join(' '),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join('; ')
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers({
      'content-security-policy': policy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer'
    })
    done()
  })
  app.get('/client.js', (_request, reply) => reply.type('text/javascript').send(client))
  await app.register(fastifyStatic, { root: new URL('./public', import.meta.url) })
}

/** Answers for a part that this server does not have, so that the page leaves it out. */
export function leaveOut (app: FastifyInstance, ...paths: string[]) {
  for (const path of paths) app.get(path, (_request, reply) => { reply.code(204).send() })
}
