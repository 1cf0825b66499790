import { isDeepStrictEqual } from 'node:util'
import fp from 'fastify-plugin'
import { errorCodes } from './errors.js'
import { normalizeOptions } from './registration/options.js'
import { processesFacade } from './process/processes.js'
import { Runtime } from './process/runtime.js'
import { Dispatcher } from './upgrade/dispatch.js'
import { relayTo } from './upgrade/relay-body.js'
import { stripHeaders } from './upgrade/relay-header.js'
import { addRelayHooks } from './upgrade/hooks.js'
import { RelayConfigSchema, RelayControlSchema } from './connection/config.js'
import { connectionCodec } from './connection/remote.js'
import { FastifyWebsocketLayer } from './registration/fastify-websocket.js'
import { Registration } from './registration/registration.js'
import { UpgradeServer } from './registration/upgrade-server.js'
import type { Server } from 'node:http'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import type { ServerSettings } from './connection/settings.js'
import type { Processes } from '../types/processes.js'
import type { WsRelayOptions } from '../types/relay.js'

export { errorCodes } from './errors.js'
export { RelayConfigSchema, RelayControlSchema }
export type * from '../types/cluster.js'
export type * from '../types/events.js'
export type * from '../types/explain.js'
export type * from '../types/fastify.js'
export type * from '../types/keyed.js'
export type * from '../types/messages.js'
export type * from '../types/pid.js'
export type * from '../types/info.js'
export type * from '../types/options.js'
export type * from '../types/processes.js'
export type * from '../types/registries.js'
export type * from '../types/relay.js'
export type * from '../types/stats.js'
export type * from '../types/trace.js'

/** The state of one HTTP server, shared by all registrations of the plugin on it. */
interface ServerState {
  readonly relay: UpgradeServer
  readonly processes: Processes
  readonly native: FastifyWebsocketLayer
}

const states = new WeakMap<object, ServerState>()

async function fastifyWsRelay (fastify: FastifyInstance, input: unknown): Promise<void> {
  const options = normalizeOptions(input)
  let state = states.get(fastify.server)
  if (state === undefined) {
    states.set(fastify.server, state = startRelay(fastify, options.server))
    await joinCluster(fastify, state.relay)
  } else {
    checkServerOptions(state.relay.options, options.given)
  }
  const { relay, processes, native } = state
  const ownWebsocket = FastifyWebsocketLayer.serverIn(fastify)
  const registration = new Registration(relay, native, options.route, ownWebsocket)
  if (!claimScope(fastify, registration)) return
  decorate(fastify, processes)
  native.install(fastify)
  addRelayHooks(fastify, registration)
}

function startRelay (fastify: FastifyInstance, settings: ServerSettings): ServerState {
  const server = fastify.server as Server
  const runtime = new Runtime({ ...settings, logger: fastify.log as never })
  const relay = new UpgradeServer(runtime, settings)
  const dispatcher = new Dispatcher(fastify, relay)
  const native = new FastifyWebsocketLayer(fastify, settings.websocket, dispatcher.routeOwn)
  stripHeaders(server)
  fastify.addHook('onReady', async () => {
    native.installDecorators()
    dispatcher.addFinalListener(native.route)
  })
  fastify.addHook('preClose', async () => { await relay.close() })
  // Fastify does not call this preClose hook when an earlier one fails.
  fastify.addHook('onClose', async () => { await relay.close() })
  return { relay, processes: processesFacade(runtime), native }
}

/** Loads the code of the cluster only where the option `cluster` is set. */
async function joinCluster (fastify: FastifyInstance, relay: UpgradeServer): Promise<void> {
  const { runtime, options: { cluster, upgradeTimeout } } = relay
  if (cluster === undefined) return
  const { startCluster } = await import('./cluster/facade.js')
  await startCluster(runtime, cluster, {
    codec: connectionCodec,
    // A route that waits for a name must have time left to answer the upgrade.
    acquireTimeout: upgradeTimeout * 0.8,
    close: async () => { await fastify.close() }
  })
}

/** @throws `FST_WS_RELAY_INVALID_OPTIONS` if a server option differs from the first registration */
function checkServerOptions (settings: ServerSettings, given: Partial<ServerSettings>): void {
  for (const [name, value] of Object.entries(given)) {
    const first: unknown = settings[name as keyof ServerSettings]
    if (!isDeepStrictEqual(value, first)) {
      throw new errorCodes.FST_WS_RELAY_INVALID_OPTIONS(
        `'${name}' belongs to the whole server and was set by its first registration; ` +
        'leave it out here, or give the same value'
      )
    }
  }
}

/**
 * @returns false when this scope has the same registration already
 * @throws `FST_WS_RELAY_INVALID_OPTIONS` when it has one with other options
 */
function claimScope (fastify: FastifyInstance, registration: Registration): boolean {
  const known = Registration.attachedTo(fastify)
  if (known === undefined) {
    registration.attachTo(fastify)
    return true
  }
  if (isDeepStrictEqual(comparable(known), comparable(registration))) return false
  throw new errorCodes.FST_WS_RELAY_INVALID_OPTIONS(
    'this scope is registered already, with other options; use a scope of its own: ' +
    'app.register(async (scope) => { await scope.register(wsRelay, …) })'
  )
}

/** Each registration compiles its own origin check, so the checks are never equal. */
function comparable ({ settings }: Registration): object {
  return { ...settings, originAllowed: undefined }
}

/** @throws Fastify's `FST_ERR_DEC_ALREADY_PRESENT` when the application uses one of the names */
function decorate (fastify: FastifyInstance, processes: Processes): void {
  // An outer scope has them already.
  if (fastify.hasDecorator('processes') && fastify.processes === processes) return
  fastify.decorate('processes', processes)
  fastify.decorateRequest('wsUpgradable', false)
  fastify.decorateReply('relay', relayTo)
}

type Registered = (string | readonly string[] | WsRelayOptions) & Record<never, never>

/**
 * The plugin. Register it before the routes that use it:
 *
 * ```ts
 * await app.register(wsRelay, 'https://app.example.com')
 * ```
 *
 * With the option `cluster` it waits until this server is a node of the cluster.
 *
 * @throws `FST_WS_RELAY_INVALID_OPTIONS`; with `cluster` also `FST_CLUSTER_UNAVAILABLE`, and the
 * errors of the engine
 */
export const wsRelay = fp(fastifyWsRelay as FastifyPluginAsync, {
  fastify: '5.x',
  name: 'fastify-ws-relay'
}) as unknown as FastifyPluginAsync<Registered>

export default wsRelay

// `require()` returns the plugin, with the other exports as its properties.
Object.assign(wsRelay, {
  default: wsRelay, wsRelay, errorCodes, RelayConfigSchema, RelayControlSchema
})
export { wsRelay as 'module.exports' }
