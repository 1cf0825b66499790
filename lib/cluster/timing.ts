import type { ClusterTiming } from '../../types/cluster.js'

/** Every duration of the core, in milliseconds. */
export interface Timing {
  /** Between two heartbeats; up to a tenth is taken off at random. */
  readonly heartbeat: number
  /** Silence after which a node is down. */
  readonly down: number
  /** Silence after which a node without a subscriber is down. */
  readonly gone: number
  /** After a longer stall of the event loop, failure detection pauses for the same time. */
  readonly stall: number
  /** How long the first exchange of heartbeats may take at start. */
  readonly hello: number
  /** Time without an acknowledgement after which the oldest frame is sent again. */
  readonly resend: number
  /** Between two pings of a channel. */
  readonly ping: number
  /** How long an acknowledgement waits for a frame that can carry it. */
  readonly ack: number
  /** Between two nacks, or two resets, on one channel. */
  readonly nack: number
  /** Between two renewals of a lease. */
  readonly renew: number
  /** How long a lease is valid, from the start of its last renewal. */
  readonly lease: number
  /** Another node may break a lease that it has seen unchanged for so long. */
  readonly breakLease: number
  /** `names.register` is rejected after so long: before the upgrade that waits for it times out. */
  readonly acquire: number
  /** How long a request to the engine, or to another node, may take. */
  readonly request: number
  /** A group without members stays subscribed for so long. */
  readonly linger: number
}

/** The durations that are chosen. The others are fixed, or derived from them. */
type Chosen = Pick<Timing, 'heartbeat' | 'down' | 'gone' | 'hello' | 'renew' | 'request'>

/**
 * @param chosen one row of the table
 * @returns all durations. A name survives every outage that channels survive. So a lease lasts for
 * the silence after which a node is down (`down`), plus the time since its last renewal (`renew`),
 * plus the time that the next renewal may take (`request`). Another node breaks a lease only when
 * it has certainly expired.
 */
function derive (chosen: Chosen): Timing {
  const { down, renew, request } = chosen
  const lease = down + renew + request
  return {
    ...chosen,
    lease,
    breakLease: lease + request,
    acquire: 8000,
    stall: 1000,
    resend: 1000,
    ping: 5000,
    ack: 20,
    nack: 50,
    linger: 5000
  }
}

export const timings: Readonly<Record<ClusterTiming, Timing>> = {
  default: derive({
    heartbeat: 1000,
    down: 8000,
    gone: 3000,
    hello: 250,
    renew: 2000,
    request: 2000
  }),
  patient: derive({
    heartbeat: 3000,
    down: 45_000,
    gone: 15_000,
    hello: 500,
    renew: 6000,
    request: 5000
  })
}

/** Durations of a connection to the engine, in milliseconds: the same for all nodes. */
export interface EngineTiming {
  /** How long a connection may take to open. */
  readonly dialTimeout: number
  /** How long the engine may take to answer a request. */
  readonly answerTimeout: number
  /** Between two pings of the engine: the connection is lost when two have no answer. */
  readonly pingInterval: number
}

export const engineTiming: EngineTiming = {
  dialTimeout: 2000,
  answerTimeout: 3000,
  pingInterval: 2000
}
