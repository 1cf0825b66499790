// The pages of the examples, and the client that they load without a bundler.
import { buildSync } from 'esbuild'
import type { FastifyInstance } from 'fastify'

/**
 * The client. In your project the package has it as one file:
 * `readFileSync(new URL(import.meta.resolve('fastify-ws-relay/client')))`
 */
export const client = buildSync({
  stdin: {
    contents: "export { connect } from '../lib/client/index.js'",
    loader: 'ts',
    resolveDir: import.meta.dirname
  },
  tsconfigRaw: {},
  bundle: true,
  format: 'esm',
  write: false
}).outputFiles[0].text

/** Serves a page at `/`, and the client at `/client.js`. */
export async function page (app: FastifyInstance, { html }: { html: string }) {
  app.get('/', (_request, reply) => { reply.type('text/html; charset=utf-8').send(html) })
  app.get('/client.js', (_request, reply) => { reply.type('text/javascript').send(client) })
}
