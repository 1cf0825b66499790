import { checkSpawn } from '../process/options.js'
import { relayHeader } from './relay-header.js'
import { sendWhenAwaited } from './reply.js'
import type { FastifyReply } from 'fastify'
import type { ProcessBody } from '../../types/processes.js'
import type { RelayConfig } from '../../types/relay.js'

/** A process that starts when the upgrade is complete. */
export interface BodyOfConnection {
  readonly body: ProcessBody
  readonly args: unknown[]
}

type Options = Omit<RelayConfig, 'target_pid'>

/** Values of the header that name a body. Users cannot make one, not even with JSON. */
const bodies = new WeakMap<object, BodyOfConnection>()

/** `target_pid` in the value of the header, where a body is given. It is no name and no PID. */
const noTarget = '@connection'

/**
 * `reply.relay`
 * @throws `FST_PROCESS_INVALID_SPEC` for `args` of a body that are no array
 */
export function relayTo (
  this: FastifyReply, target: string | ProcessBody, options?: Options & { args?: unknown[] }
): FastifyReply {
  if (typeof target !== 'function') {
    sendWhenAwaited(this)
    return this.header(relayHeader, { ...options, target_pid: target })
  }
  const { args = [], ...config } = options ?? {}
  checkSpawn(target, { args })
  sendWhenAwaited(this)
  const value = { ...config, target_pid: noTarget }
  bodies.set(value, { body: target, args })
  return this.header(relayHeader, value)
}

/** The body that a value of the header names. */
export function bodyOf (value: unknown): BodyOfConnection | undefined {
  return typeof value === 'object' && value !== null ? bodies.get(value) : undefined
}
