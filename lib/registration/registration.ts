import { FastifyWebsocketLayer, isWebsocketRoute } from './fastify-websocket.js'
import { overrideSettings } from './options.js'
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import type { UpgradeServer } from './upgrade-server.js'
import type { RouteSettings } from './options.js'

const registrationOf = Symbol('fastify-ws-relay.registration')
const markOf = Symbol('fastify-ws-relay.route')

/** How the relay treats a route: it upgrades with these settings, or leaves it to others. */
export type RouteMode = RouteSettings | 'off' | 'native'

/** One `register(wsRelay, …)`. It applies to its scope and to inner ones without their own. */
export class Registration {
  readonly relay: UpgradeServer
  readonly native: FastifyWebsocketLayer
  readonly settings: RouteSettings
  #scope: FastifyInstance | undefined
  /** The scope's own `@fastify/websocket` when the plugin was registered. */
  readonly #ownNative: object | undefined

  constructor (
    relay: UpgradeServer,
    native: FastifyWebsocketLayer,
    settings: RouteSettings,
    ownNative: object | undefined
  ) {
    this.relay = relay
    this.native = native
    this.settings = settings
    this.#ownNative = ownNative
  }

  /** The registration that applies to an instance, such as the scope of a request's route. */
  static of (fastify: FastifyInstance): Registration | undefined {
    return (fastify as { [registrationOf]?: Registration })[registrationOf]
  }

  /**
   * Whether a route that was declared before the plugin is left to the application's own
   * `@fastify/websocket`, because it may be one of that plugin's routes. The answer is false if
   * `@fastify/websocket` was registered after this plugin in the same scope: then the route was
   * declared before both plugins.
   */
  isNativeIn (scope: FastifyInstance): boolean {
    const native = FastifyWebsocketLayer.serverIn(scope)
    if (native === undefined) return false
    return native === this.#ownNative || native !== FastifyWebsocketLayer.serverIn(this.#scope!)
  }

  /** The registration made on this very instance. */
  static attachedTo (fastify: FastifyInstance): Registration | undefined {
    return Object.hasOwn(fastify, registrationOf) ? Registration.of(fastify) : undefined
  }

  /** Inner scopes inherit it, as any property of a Fastify instance. */
  attachTo (fastify: FastifyInstance): void {
    this.#scope = fastify
    Object.assign(fastify, { [registrationOf]: this })
  }

  /**
   * Marks a route with its mode. @returns the mode
   * @throws `FST_WS_RELAY_INVALID_OPTIONS`
   */
  markRoute (routeOptions: RouteOptions): RouteMode {
    const mode = this.#modeOf(routeOptions.config, isWebsocketRoute(routeOptions))
    routeOptions.config = { ...routeOptions.config, [markOf]: mode } as typeof routeOptions.config
    return mode
  }

  /** The mark of a request's route. Routes that were declared before the plugin have none. */
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
    return override === false ? 'off' : overrideSettings(this.settings, override)
  }
}

function markedMode (config: object | undefined): RouteMode | undefined {
  return (config as { [markOf]?: RouteMode } | undefined)?.[markOf]
}
