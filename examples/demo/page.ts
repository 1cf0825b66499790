// The page of the demos, with a policy that allows no other origin.
import fastifyStatic from '@fastify/static'
import { client } from '../page.js'
import type { FastifyInstance } from 'fastify'

/**
 * Serves the page.
 * @param parts what this server has: the page leaves out the rest
 * @param servers other servers that the page may connect to, as `http://host:port`
 */
export async function servePage (app: FastifyInstance, parts: string[], servers: string[] = []) {
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
  app.get('/parts', () => parts)
  app.get('/client.js', (_request, reply) => reply.type('text/javascript').send(client))
  await app.register(fastifyStatic, { root: new URL('./public', import.meta.url) })
}
