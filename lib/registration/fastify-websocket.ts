import { ServerResponse } from 'node:http'
import fastifyWebsocket from '@fastify/websocket'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'

/** `fastify.routing` */
export type Routing = (request: IncomingMessage, response: ServerResponse) => void

/** Marks a request as an upgrade of `@fastify/websocket`, and routes it. */
export type RouteUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

type Done = (err?: Error) => void
type RequestHook = (
  this: FastifyInstance, request: FastifyRequest, reply: FastifyReply, done: Done
) => void
type RouteHook = (this: FastifyInstance, routeOptions: RouteOptions) => void
type CloseHook = (this: FastifyInstance, done: Done) => unknown

/** The `websocketServer` of every layer that this plugin has made. */
const ownServers = new WeakSet()

/**
 * `@fastify/websocket` on this server, so that `websocket: true` routes and `injectWS` work. If the
 * application registers it too, even later, its registration is used: two in one scope throw. So
 * ours is applied to a proxy instance that records its decorators, hooks and listener. They are
 * installed only in scopes where the application has not registered it.
 */
export class FastifyWebsocketLayer {
  /** The recorded `'upgrade'` listener, which routes an upgrade through Fastify. */
  readonly route: RouteUpgrade
  readonly #decorators: Record<string, unknown> = {}
  #onRequest!: RequestHook
  #onResponse!: RequestHook
  #onRoute!: RouteHook
  /** Whether it has its listener on another server: the option `server`. */
  readonly #isElsewhere: boolean
  readonly #scopes: FastifyInstance[] = []

  /**
   * @param routing called with a request that is marked as an upgrade, and with its response
   * @throws the error of `@fastify/websocket` when its options are not valid
   */
  constructor (fastify: FastifyInstance, options: Record<string, unknown>, routing: Routing) {
    let route: RouteUpgrade | undefined
    const server = {
      on: (_event: string, listener: RouteUpgrade) => { route = listener },
      emit: (...args: unknown[]) => fastify.server.emit(...args as ['upgrade']),
      removeListener () {}
    }
    const proxy = Object.create(fastify, {
      server: { value: server },
      routing: { value: routing },
      decorate: { value: (name: string, value: unknown) => { this.#decorators[name] = value } },
      // The hooks set `request.ws` without it, and the application's registration may declare it.
      decorateRequest: { value: () => {} },
      addHook: {
        value: (name: string, hook: RequestHook | RouteHook | CloseHook) => {
          if (name === 'preClose') this.#addCloseHook(fastify, hook as CloseHook)
          else if (name === 'onRoute') this.#onRoute = hook as RouteHook
          else if (name === 'onRequest') this.#onRequest = hook as RequestHook
          else this.#onResponse = hook as RequestHook
        }
      }
    }) as FastifyInstance
    fastifyWebsocket(proxy as never, options as never, (err?: Error) => { if (err) throw err })
    ownServers.add(this.#decorators.websocketServer as object)
    this.#isElsewhere = route === undefined
    this.route = route ?? ((request, socket) => { routePlain(routing, request, socket) })
  }

  /** Whether a scope has the application's own. Called before `installDecorators`. */
  static isIn (scope: FastifyInstance): boolean {
    return scope.hasDecorator('websocketServer')
  }

  /** The `websocketServer` of the application's own in a scope. May be called at any time. */
  static serverIn (scope: FastifyInstance): object | undefined {
    const { websocketServer } = scope as { websocketServer?: object }
    if (websocketServer === undefined || ownServers.has(websocketServer)) return undefined
    return websocketServer
  }

  /**
   * Makes `websocket: true` routes of a scope and of its inner scopes work. Other routes keep their
   * handlers. The recorded `onRequest` and `onResponse` hooks are not added, because they would run
   * for each request: `markRequest` is called for an upgrade, whose `Handshake` closes the socket.
   */
  install (scope: FastifyInstance): void {
    if (this.#scopes.some((above) => isWithin(scope, above))) return
    this.#scopes.push(scope)
    const isElsewhere = this.#isElsewhere
    const onRoute = this.#onRoute
    scope.addHook('onRoute', function (routeOptions) {
      const isOurs = isElsewhere || isWebsocketRoute(routeOptions)
      if (isOurs && !FastifyWebsocketLayer.isIn(this)) onRoute.call(this, routeOptions)
    })
    if (!isElsewhere) return
    // The upgrades of another server have no handshake of ours.
    scope.addHook('onRequest', this.#onRequest)
    scope.addHook('onResponse', this.#onResponse as never)
  }

  /** Sets `request.ws`: whether `@fastify/websocket` routes this upgrade. */
  markRequest (request: FastifyRequest, reply: FastifyReply): void {
    this.#onRequest.call(request.server, request, reply, noop)
  }

  /** Called when all plugins are registered. */
  installDecorators (): void {
    for (const scope of this.#scopes) {
      if (FastifyWebsocketLayer.isIn(scope)) continue
      Object.assign(scope, this.#decorators)
      if (!scope.hasRequestDecorator('ws')) scope.decorateRequest('ws', noUpgrade as never)
    }
  }

  /**
   * Adds the recorded `preClose` hook. It calls back twice, and it needs its server on the
   * instance, even if the application was never ready.
   */
  #addCloseHook (fastify: FastifyInstance, hook: CloseHook): void {
    fastify.addHook('preClose', async () => {
      const instance = Object.assign(Object.create(fastify), this.#decorators) as FastifyInstance
      await new Promise<void>((resolve, reject) => {
        const closed = hook.call(instance, (err) => { if (err) reject(err); else resolve() })
        if (closed instanceof Promise) closed.then(() => { resolve() }, reject)
      })
    })
  }
}

function noop (): void {}

const ownValue = Symbol('fastify-ws-relay.ws')
interface MaybeUpgrade { [ownValue]?: boolean }

/** `request.ws` is false without a hook for each request. The value of an upgrade is its own. */
const noUpgrade = {
  getter (this: MaybeUpgrade) { return this[ownValue] ?? false },
  setter (this: MaybeUpgrade, value: boolean) { this[ownValue] = value }
}

/** Whether `@fastify/websocket` answers the upgrades of a route. */
export function isWebsocketRoute (routeOptions: RouteOptions): boolean {
  return routeOptions.websocket === true || 'wsHandler' in routeOptions
}

function routePlain (routing: Routing, request: IncomingMessage, socket: Duplex): void {
  const response = new ServerResponse(request)
  response.assignSocket(socket as never)
  routing(request, response)
}

function isWithin (scope: FastifyInstance, above: FastifyInstance): boolean {
  return scope === above || Object.prototype.isPrototypeOf.call(above, scope)
}

/** The description of the symbol of `@fastify/websocket`. `@fastify/http-proxy` uses the same. */
const nativeMark = 'ws-socket'

/** The symbol that was found last. An application rarely has more than one. */
let cachedMark = Symbol(nativeMark)

/**
 * Removes the mark of `@fastify/websocket` from a request. Otherwise that plugin would accept the
 * socket itself and close it at once. The mark is the socket, stored in the raw request under a
 * symbol that is private to that plugin.
 */
export function unmark (request: FastifyRequest, socket: Duplex): void {
  const raw = request.raw as unknown as Record<symbol, unknown>
  // A request has one such mark: the plugin that sets it also routes the request.
  if (raw[cachedMark] === socket) raw[cachedMark] = undefined
  else {
    const mark = Object.getOwnPropertySymbols(raw).find(
      (symbol) => raw[symbol] === socket && symbol.description === nativeMark
    )
    if (mark !== undefined) {
      cachedMark = mark
      raw[mark] = undefined
    }
  }
  ;(request as { ws?: boolean }).ws = false
}
