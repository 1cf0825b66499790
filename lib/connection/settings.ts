import type { RelayRouteOptions, WsRelayOptions } from '../../types/relay.js'

/** The settings of the connections of one scope or route. */
export type ConnectionSettings = Readonly<
  Required<Omit<RelayRouteOptions, 'allowedOrigins' | 'resume'>>
>

/**
 * The default of `maxFragments`: one fragment for each KiB of the largest message, and at least
 * 1024. So a larger `maxPayload` needs no other option for messages in fragments.
 */
export function defaultFragments (maxPayload: number): number {
  return Math.max(1024, Math.ceil(maxPayload / 1024))
}

type WithoutDefault = 'cluster' | 'maxFragments'
type Durations = 'upgradeTimeout' | 'pingInterval' | 'pongTimeout' | 'closeTimeout' | 'drain'

/** The settings of a whole server. Durations are in milliseconds. */
export type ServerSettings =
  Readonly<
    Required<Omit<WsRelayOptions, keyof RelayRouteOptions | Durations | WithoutDefault>> &
    Pick<WsRelayOptions, WithoutDefault> &
    Record<Durations, number>
  >
