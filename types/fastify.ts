import type { Pid, Topics } from './pid.js'
import type { ProcessBody, Processes } from './processes.js'
import type { RelayArgs, RelayConfig, RelayRouteConfig } from './relay.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** The process system. A server has one, even if the plugin is registered several times. */
    processes: Processes
  }

  interface FastifyRequest {
    /** Whether this request can become a WebSocket: an upgrade that has passed every check. */
    wsUpgradable: boolean
  }

  interface FastifyReply {
    /**
     * Sets the header `X-WS-Relay`, as in
     * `reply.relay(lobby, { heartbeat_interval: '30s' }).send()`. A handler may return or await the
     * result without `send`: it is sent then, unless it was sent before.
     */
    relay (target: Pid | string, config?: Omit<RelayConfig, 'target_pid'>): this
    /**
     * Starts a process for this connection alone, as in `reply.relay(session, { args: [user] })`.
     * It starts when the upgrade is complete: no process starts for a request that is refused. It
     * is cancelled after `ws.leave`. When it ends first, the client is closed with 1000, or with
     * 1011 if it has failed.
     * @throws `FST_PROCESS_INVALID_SPEC`
     */
    relay<T extends Topics = {}, A extends unknown[] = []> (
      body: ProcessBody<T, A>, ...options: RelayArgs<A>
    ): this
  }

  interface FastifyContextConfig {
    /** Options of this route. `false`: the relay does not handle upgrades of this route. */
    wsRelay?: RelayRouteConfig | false
  }
}

// Without this export, users would not get the types that @fastify/websocket adds: `injectWS`.
export type { WebsocketHandler } from '@fastify/websocket'
export type { Pid }
