import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** The CPU time of the process in microseconds, and its memory in bytes. */
export interface Usage { cpu: number, rss: number, heapUsed: number }

/** Adds the route GET /usage. `?gc` collects garbage first (needs --expose-gc). */
function usage (collect: boolean): Usage {
  if (collect) for (let i = 0; i < 3; i++) globalThis.gc!()
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  return { cpu: user + system, rss, heapUsed }
}

/** Listens on a free port, prints it for the rig, and stops at SIGTERM. @returns the port */
export async function listen (app: FastifyInstance): Promise<number> {
  app.get('/usage', (request, reply) => { reply.send(usage(request.url.endsWith('?gc'))) })
  await app.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
  const { port } = app.server.address() as AddressInfo
  console.log(JSON.stringify({ port }))
  process.on('SIGTERM', () => process.exit())
  return port
}
