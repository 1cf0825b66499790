/**
 * A page that shows the processes and connections of a server, for those who operate it. No other
 * module of the package uses this one.
 */
import { errorCodes } from '../errors.js'
import { runtimeOf } from '../process/processes.js'
import { Assets, sendAsset } from './assets.js'
import { startAgent } from './cluster/agent.js'
import { dashboardSettings } from './options.js'
import { requireLocal, setHeaders } from './protection.js'
import { dashboard as viewer } from './viewer.js'
import type { FastifyInstance } from 'fastify'
import type { Runtime } from '../process/runtime.js'
import type { Processes } from '../../types/processes.js'
import type { RelayRouteConfig } from '../../types/relay.js'
import type { DashboardOptions } from './options.js'

export { errorCodes } from '../errors.js'
export type * from './frames.js'
export type { DashboardOptions } from './options.js'

/** The options of its routes, whatever the scope says. Messages of a page are short. */
const wsRelay: RelayRouteConfig = {
  // Only its own origin.
  allowedOrigins: [],
  resume: false,
  forwardTopics: true,
  overflow: 'close',
  maxPayload: 16 * 1024,
  maxBufferedAmount: 1024 * 1024
}

/** A page whose socket has expired opens another one, and has to pass the hooks again. */
const life = { expires_in: '1h', limit: { messages: '20/s', burst: 5 } }

/**
 * Adds the dashboard to a server, at the prefix of `register`. The plugin `fastify-ws-relay` must
 * be registered before, in the same scope or in an outer one.
 *
 * ```ts
 * await app.register(dashboard, { prefix: '/processes', onRequest: [auth] })
 * ```
 *
 * Only pages of the same origin may open its socket, whatever the scope allows. The hooks run for
 * the page, its files and each socket. It shows no payload, no metadata and no token of a session,
 * and changes nothing unless `actions` allows it.
 *
 * @throws `FST_WS_RELAY_INVALID_OPTIONS`, also without `onRequest` and `preHandler` of its own,
 * unless `unprotected: true` restricts it to this computer
 */
export async function dashboard (
  fastify: FastifyInstance, options: DashboardOptions
): Promise<void> {
  const { onRequest, preHandler, actions, isUnprotected } = dashboardSettings(options)
  const runtime = serverRuntime(fastify.processes)
  const assets = await Assets.read()
  const route = { config: { wsRelay }, onRequest, preHandler }
  fastify.addHook('onRequest', setHeaders)
  if (isUnprotected) fastify.addHook('onRequest', requireLocal)
  fastify.get('/', route, (request, reply) => {
    return sendAsset(assets.pageFor(request.url), request, reply)
  })
  for (const [name, asset] of assets.files) {
    fastify.get(`/${name}`, route, (request, reply) => sendAsset(asset, request, reply))
  }
  fastify.get('/socket', route, (request, reply) => {
    return reply.relay(viewer, { args: [{ runtime, actions, log: request.log }], ...life })
  })
  fastify.addHook('onReady', async () => { startAgent(runtime) })
}

/**
 * Lets the dashboards of other nodes show a node without a server: a system of `createProcesses`
 * that has joined its cluster. A node whose server has a dashboard needs no call.
 *
 * @throws `FST_WS_RELAY_INVALID_OPTIONS` for another object, `FST_CLUSTER_NOT_READY`
 */
export function showNode (processes: Processes): void {
  startAgent(serverRuntime(processes))
}

function serverRuntime (processes: Processes | undefined): Runtime {
  const runtime = processes && runtimeOf(processes)
  if (runtime === undefined) {
    throw new errorCodes.FST_WS_RELAY_INVALID_OPTIONS(
      "the dashboard needs 'app.processes': register fastify-ws-relay before it, in this scope " +
      'or in an outer one'
    )
  }
  return runtime
}

export default dashboard
