import { ServerResponse } from 'node:http'
import fastifyWebsocket from '@fastify/websocket'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { RouteUpgrade } from './dispatch.js'
import type { Routing } from './route-probe.js'

type Done = (err?: Error) => void
type RequestHook = (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply, done: Done) => void
type RouteHook = (this: FastifyInstance, routeOptions: RouteOptions) => void
type CloseHook = (this: FastifyInstance, done: Done) => unknown

/** Those of layers that this plugin has made. */
const ownServers = new WeakSet()

/**
 * `@fastify/websocket` on this server, so that `websocket: true` routes and `injectWS` work. The
 * application's own registration is used where there is one, also one that comes later; two of them
 * in one scope would fight. So ours is applied to a stand-in, which keeps its decorators, hooks and
 * listener back until it is known where nobody else brings them.
 */
export class FastifyWebsocketLayer {
  /** Routes an upgrade through Fastify. */
  readonly route: RouteUpgrade
  readonly #decorators: Record<string, unknown> = {}
  readonly #hooks: Array<readonly [name: string, hook: RequestHook | RouteHook]> = []
  readonly #scopes: FastifyInstance[] = []

  /**
   * @param routing called with a request that is marked as an upgrade, and with its response
   * @throws what `@fastify/websocket` says of its options
   */
  constructor (fastify: FastifyInstance, options: Record<string, unknown>, routing: Routing) {
    let route: RouteUpgrade | undefined
    const server = {
      on: (_event: string, listener: RouteUpgrade) => { route = listener },
      emit: (...args: unknown[]) => fastify.server.emit(...args as ['upgrade']),
      removeListener () {}
    }
    const standIn = Object.create(fastify, {
      server: { value: server },
      routing: { value: routing },
      decorate: { value: (name: string, value: unknown) => { this.#decorators[name] = value } },
      // Its hooks set `request.ws` anyway, and an application's own registration declares it.
      decorateRequest: { value: () => {} },
      addHook: {
        value: (name: string, hook: RequestHook | RouteHook | CloseHook) => {
          if (name === 'preClose') this.#addCloseHook(fastify, hook as CloseHook)
          else this.#hooks.push([name, hook as RequestHook])
        }
      }
    }) as FastifyInstance
    fastifyWebsocket(standIn as never, options as never, (err?: Error) => { if (err) throw err })
    ownServers.add(this.#decorators.websocketServer as object)
    // Without one, it was told to listen on another server.
    this.route = route ?? ((request, socket) => { routePlain(routing, request, socket) })
  }

  /** Whether a scope has the application's own `@fastify/websocket`. Called before everything is registered. */
  static isIn (scope: FastifyInstance): boolean {
    return scope.hasDecorator('websocketServer')
  }

  /** The server of the application's own `@fastify/websocket` in a scope. Called at any time. */
  static serverIn (scope: FastifyInstance): object | undefined {
    const { websocketServer } = scope as { websocketServer?: object }
    return websocketServer === undefined || ownServers.has(websocketServer) ? undefined : websocketServer
  }

  /** Provides for a scope and those below, where nobody else does. */
  install (scope: FastifyInstance): void {
    if (this.#scopes.some((above) => isWithin(scope, above))) return
    this.#scopes.push(scope)
    for (const [name, hook] of this.#hooks) {
      if (name === 'onRoute') {
        scope.addHook('onRoute', function (routeOptions) {
          if (!FastifyWebsocketLayer.isIn(this)) (hook as RouteHook).call(this, routeOptions)
        })
      } else scope.addHook(name as 'onRequest', hook as never)
    }
  }

  /** Everything is registered: hands out the decorators where nobody else has. */
  installDecorators (): void {
    for (const scope of this.#scopes) {
      if (!FastifyWebsocketLayer.isIn(scope)) Object.assign(scope, this.#decorators)
    }
  }

  /** It calls back twice, and needs its server on the instance, also when that was never ready. */
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

function routePlain (routing: Routing, request: IncomingMessage, socket: Duplex): void {
  const response = new ServerResponse(request)
  response.assignSocket(socket as never)
  routing(request, response)
}

function isWithin (scope: FastifyInstance, above: FastifyInstance): boolean {
  return scope === above || Object.prototype.isPrototypeOf.call(above, scope)
}

/** What `@fastify/websocket` calls its mark; `@fastify/http-proxy` has one, too. */
const nativeMark = 'ws-socket'

/** The mark that was found last: there is hardly ever another. */
let cachedMark = Symbol(nativeMark)

/**
 * Takes the claim of `@fastify/websocket` on a request away: it would accept the socket itself and
 * close it at once. Its mark is the property of the raw request, under a symbol of its own, that is
 * the socket.
 */
export function unmark (request: FastifyRequest, socket: Duplex): void {
  const raw = request.raw as unknown as Record<symbol, unknown>
  // One request has one such mark: whoever sets it routes the request, which can be done once.
  if (raw[cachedMark] === socket) raw[cachedMark] = undefined
  else {
    const mark = Object.getOwnPropertySymbols(raw).find((symbol) => raw[symbol] === socket && symbol.description === nativeMark)
    if (mark !== undefined) {
      cachedMark = mark
      raw[mark] = undefined
    }
  }
  ;(request as { ws?: boolean }).ws = false
}
