import { FastifyWebsocketLayer } from './fastify-websocket.js'
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import type { UpgradeServer } from './upgrade-server.js'
import type { RouteSettings } from './options.js'

const registrationOf = Symbol('fastify-ws-relay.registration')
const markOf = Symbol('fastify-ws-relay.route')

/** What a route's own configuration makes of the relay. */
export type RouteMode = RouteSettings | 'off' | 'native'

/** One `register(wsRelay, …)`: it holds for its scope and those below, but where an inner one does. */
export class Registration {
  readonly relay: UpgradeServer
  readonly settings: RouteSettings
  #scope: FastifyInstance | undefined
  readonly #override: (scope: RouteSettings, override: unknown) => RouteSettings
  /** The scope's own `@fastify/websocket` when the plugin was registered. */
  readonly #native: object | undefined

  constructor (relay: UpgradeServer, settings: RouteSettings, native: object | undefined, override: (scope: RouteSettings, override: unknown) => RouteSettings) {
    this.relay = relay
    this.settings = settings
    this.#native = native
    this.#override = override
  }

  /** The registration that holds for an instance, or for the scope of a request's route. */
  static of (fastify: FastifyInstance): Registration | undefined {
    return (fastify as { [registrationOf]?: Registration })[registrationOf]
  }

  /**
   * Whether a route that was declared before the plugin is left to the application's own
   * `@fastify/websocket`: it may be one of its routes, which cannot be told. Where that was registered
   * after the plugin, in the plugin's own scope, the route is older than both, and none of its.
   */
  isNativeIn (scope: FastifyInstance): boolean {
    const native = FastifyWebsocketLayer.serverIn(scope)
    return native !== undefined && (native === this.#native || native !== FastifyWebsocketLayer.serverIn(this.#scope!))
  }

  /** The registration made on this very instance. */
  static attachedTo (fastify: FastifyInstance): Registration | undefined {
    return Object.hasOwn(fastify, registrationOf) ? Registration.of(fastify) : undefined
  }

  /** Scopes below inherit it, as all that stands on a Fastify instance. */
  attachTo (fastify: FastifyInstance): void {
    this.#scope = fastify
    Object.assign(fastify, { [registrationOf]: this })
  }

  /**
   * Marks a route with what the relay is to do there, and returns it.
   * @throws `FST_WS_RELAY_INVALID_OPTIONS`
   */
  markRoute (routeOptions: RouteOptions): RouteMode {
    const mode = this.#modeOf(routeOptions.config, routeOptions.websocket === true || 'wsHandler' in routeOptions)
    routeOptions.config = { ...routeOptions.config, [markOf]: mode } as typeof routeOptions.config
    return mode
  }

  /** The mark of a request's route: all have one that were declared after the plugin. */
  static modeMarked (request: FastifyRequest): RouteMode | undefined {
    return markedMode(request.routeOptions.config)
  }

  /** @throws `FST_WS_RELAY_INVALID_OPTIONS` for a route declared before the plugin */
  modeFor (request: FastifyRequest): RouteMode {
    const { config } = request.routeOptions
    return markedMode(config) ?? this.#modeOf(config, false)
  }

  #modeOf (config: { wsRelay?: unknown } | undefined, native: boolean): RouteMode {
    if (native) return 'native'
    const override = config?.wsRelay
    if (override === undefined) return this.settings
    return override === false ? 'off' : this.#override(this.settings, override)
  }
}

function markedMode (config: object | undefined): RouteMode | undefined {
  return (config as { [markOf]?: RouteMode } | undefined)?.[markOf]
}
