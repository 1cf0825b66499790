import type { Pid } from './pid.js'
import type { Processes } from './processes.js'
import type { RelayConfig, RelayRouteConfig } from './relay.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** The process system; one per server, however often the plugin is registered. */
    processes: Processes
  }

  interface FastifyRequest {
    /** Whether this request can become a WebSocket: an upgrade that passed every check. */
    wsUpgradable: boolean
  }

  interface FastifyReply {
    /** Sets the `X-WS-Relay` header: `reply.relay(lobby, { heartbeat_interval: '30s' }).send()`. */
    relay (target: Pid | string, config?: Omit<RelayConfig, 'target_pid'>): this
  }

  interface FastifyContextConfig {
    /** Options for this route alone; `false`: the relay leaves its upgrades alone. */
    wsRelay?: RelayRouteConfig | false
  }
}

// Without an export from there a consumer would not see its augmentation of Fastify: `injectWS`.
export type { WebsocketHandler } from '@fastify/websocket'
export type { Pid }
