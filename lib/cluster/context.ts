import { errorCodes, toError } from '../errors.js'
import { isPid } from '../process/pid.js'
import { ClusterCounters } from './counters.js'
import { timings } from './timing.js'
import type { ConnectionCodec } from '../process/remote/connection-codec.js'
import type { LocalNode } from '../process/remote/remote-nodes.js'
import type { Clock, ClockTimer } from '../shared/clock.js'
import type { ClusterEvents, ClusterNodeOptions } from './node-options.js'
import type { Timing } from './timing.js'
import type { Unsendable } from './values/unsendable.js'
import type { ClusterTransport } from '../../types/cluster.js'
import type { Pid } from '../../types/pid.js'
import type { Logger } from '../../types/options.js'

/** The properties of a node that its parts share: its identity, its time, its engine, its log. */
export class NodeContext {
  /** The name of this node. */
  readonly node: string
  /** The first part of every topic and key. */
  readonly prefix: string
  readonly transport: ClusterTransport
  readonly timing: Timing
  /** Returns a number from 0 to 1. */
  readonly random: () => number
  readonly logger: Logger
  readonly local: LocalNode
  readonly events: ClusterEvents
  readonly codec: ConnectionCodec
  readonly counters: ClusterCounters
  readonly clock: Clock
  readonly #timeOrigin: number
  #incarnation: number
  #suffix: string
  #refs = 0

  constructor (options: ClusterNodeOptions) {
    this.node = options.node
    this.counters = new ClusterCounters(options.node)
    this.prefix = options.prefix
    this.transport = options.transport
    this.timing = timings[options.timing]
    this.random = options.random ?? Math.random
    this.logger = options.logger
    this.local = options.local
    this.events = options.events
    this.codec = options.codec
    this.clock = options.clock
    this.#timeOrigin = options.timeOrigin ?? performance.timeOrigin
    this.#incarnation = options.incarnation
    this.#suffix = suffixOf(options.node, options.incarnation)
  }

  // Identity

  /** Final when the node has started. */
  get incarnation (): number {
    return this.#incarnation
  }

  set incarnation (incarnation: number) {
    this.#incarnation = incarnation
    this.#suffix = suffixOf(this.node, incarnation)
  }

  /** Makes a PID of this node. */
  pid (serial: number): Pid {
    return `${serial}${this.#suffix}` as Pid
  }

  isLocal (pid: Pid): boolean {
    return isPid(pid) && pid.endsWith(this.#suffix)
  }

  /** Returns a number that this node has not used before, for one request to another node. */
  nextRef (): number {
    return ++this.#refs
  }

  // Time

  /** Milliseconds since 1970. The time never goes back. */
  now (): number {
    return this.#timeOrigin + this.clock.now()
  }

  /** Runs a task after a delay in milliseconds. It does not keep the program running. */
  after (ms: number, task: () => void): ClockTimer {
    return this.clock.after(ms, task).unref()
  }

  /** Runs a task after this turn of the event loop, so that its output is sent in one batch. */
  later (task: () => void): void {
    this.clock.later(task)
  }

  // Failures

  /** Runs a callback, and logs what it throws. */
  guard (task: () => void): void {
    try {
      task()
    } catch (thrown) {
      const err = toError(thrown)
      this.logger.error({ err }, 'cluster: handling an event of another node failed')
    }
  }

  /**
   * Logs why a value does not cross.
   * @param about the message or exit that has the value, and its process
   * @returns the error for the process that waits for it
   */
  unsendable ({ type, path }: Unsendable, about: Readonly<Record<string, unknown>>): Error {
    this.logger.warn({ ...about, type, path }, 'cluster: a value cannot be sent to another node')
    return new errorCodes.FST_CLUSTER_INVALID_PAYLOAD(type, path)
  }
}

/** The part of a PID after its serial number. */
export function suffixOf (node: string, incarnation: number): string {
  return `@${node}.${incarnation.toString(36)}`
}

/** The serial number of a PID; 0 without one. */
export function serialOf (pid: Pid | undefined): number {
  return pid === undefined ? 0 : Number(pid.slice(0, pid.indexOf('@')))
}
