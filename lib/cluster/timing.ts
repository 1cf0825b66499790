import type { ClusterTiming } from '../../types/cluster.js'

/** Every duration of the core, in milliseconds. */
export interface Timing {
  /** Between two heartbeats; up to a tenth is taken off at random. */
  readonly heartbeat: number
  /** Silence after which a node is down. */
  readonly down: number
  /** Silence after which a node without a subscriber is down. */
  readonly gone: number
  /** An event loop that stood still for longer judges nobody for as long again. */
  readonly stall: number
  /** How long the first exchange of heartbeats may take at start. */
  readonly hello: number
  /** Without an acknowledgement for so long, the oldest frame is sent once more. */
  readonly resend: number
  /** Between two pings of a channel. */
  readonly ping: number
  /** An acknowledgement waits so long for a frame to travel with. */
  readonly ack: number
  /** Between two complaints about a gap, or two resets, on one channel. */
  readonly nack: number
  /** Between two renewals of a lease. */
  readonly renew: number
  /** How long a lease holds, from the start of its last renewal. */
  readonly lease: number
  /** Seen unchanged for so long, a lease may be broken by another node. */
  readonly takeOver: number
  /** One request to the engine, or to another node. */
  readonly request: number
  /** A group without members stays subscribed for so long. */
  readonly linger: number
}

export const timings: Readonly<Record<ClusterTiming, Timing>> = {
  default: {
    heartbeat: 1000, down: 8000, gone: 3000, stall: 1000, hello: 250, resend: 1000, ping: 5000, ack: 20, nack: 50, renew: 2000, lease: 6000, takeOver: 8000, request: 2000, linger: 5000
  },
  patient: {
    heartbeat: 3000, down: 45_000, gone: 15_000, stall: 1000, hello: 500, resend: 1000, ping: 5000, ack: 20, nack: 50, renew: 6000, lease: 36_000, takeOver: 45_000, request: 5000, linger: 5000
  }
}
