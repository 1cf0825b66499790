// From the header of a reply to a connection, for any transport.
import { errorCodes } from '../errors.js'
import { parseConfig } from '../connection/config.js'
import { Connection } from '../connection/connection.js'
import { ProtocolConnection } from '../connection/protocol/protocol-connection.js'
import { OwnedProcess } from '../connection/target/owned-process.js'
import { requestTarget } from '../connection/target/target-request.js'
import { asTarget } from '../process/entity.js'
import { badTarget, overloaded, warnOfField, withRetryAfter, withStatus } from './refusals.js'
import { bodyOf } from './relay-body.js'
import { discardBody, removeBodyHeaders } from './reply.js'
import { checkWindow } from './resume.js'
import type { FastifyReply } from 'fastify'
import type { BindResult } from '../process/remote/remote-nodes.js'
import type { TargetBinding } from '../connection/target/binding.js'
import type { TargetRequest } from '../connection/target/target-request.js'
import type { ConnectionOptions } from '../connection/connection-options.js'
import type { ResolvedConfig } from '../connection/config.js'
import type { Attempt, Refusal } from './refusals.js'
import type { BodyOfConnection } from './relay-body.js'

/** The callback of an `onSend` hook. It is not called for a reply that becomes a connection. */
export type Next = (err?: Refusal | null, payload?: unknown) => void

/**
 * Reads the header, resolves the target, and opens the connection. Fastify gets the refusal if
 * there can be none.
 * @param value of the header
 */
export function relayReply (attempt: Attempt, value: unknown, payload: unknown, done: Next): void {
  const { relay, settings, request, reply } = attempt
  const result = checkWindow(parseConfig(value, settings), settings)
  if (!result.ok) {
    request.log.error(`invalid X-WS-Relay header: ${result.problem}`)
    return sendRefusal(new errorCodes.FST_WS_RELAY_INVALID_CONFIG(), reply, payload, done)
  }
  const config = result.value
  if (config.misspelt !== undefined) warnOfField(attempt, config.misspelt)
  const body = bodyOf(value)
  if (body !== undefined) {
    return settle(openWithBody(attempt, config, body), reply, payload, done)
  }
  const asked = requestTarget(relay.runtime, config.target)
  if (asked !== undefined) return openWhenBound(asked, attempt, config, payload, done)
  const target = relay.runtime.processTable.findEntity(config.target)
  settle(openBound(attempt, config, asTarget(target)), reply, payload, done)
}

/** Ends the hook: discards the body of the reply, and gives Fastify the refusal if there is one. */
export function settle (
  refusal: Refusal | undefined, reply: FastifyReply, payload: unknown, done: Next
): void {
  if (refusal === undefined) discardBody(payload)
  else sendRefusal(refusal, reply, payload, done)
}

/** Fastify sends the error, and discards the body of the reply. */
export function sendRefusal (
  refusal: Refusal, reply: FastifyReply, payload: unknown, done: Next
): void {
  discardBody(payload)
  removeBodyHeaders(reply)
  done(withStatus(reply, refusal))
}

/** Asks the remote node of the target, or waits for its start, and opens with the answer. */
function openWhenBound (
  asked: TargetRequest, attempt: Attempt, config: ResolvedConfig, payload: unknown, done: Next
): void {
  const onClientGone = (): void => {
    asked.release()
    done(null, payload)
  }
  const onRefused = (error: Refusal): void => {
    asked.release()
    sendRefusal(error, attempt.reply, payload, done)
  }
  attempt.waitForRemote({ waitsFor: asked.waitsFor, onClientGone, onRefused })
  asked.requestBinding((answer) => {
    attempt.remoteAnswered()
    if (!attempt.isOpen) return onClientGone()
    const failure = openBound(attempt, config, answer, asked.binding)
    if (failure === undefined) discardBody(payload)
    else onRefused(failure)
  })
}

/** Makes the request a connection that is bound to its target. @returns the refusal if it cannot */
function openBound (
  attempt: Attempt, config: ResolvedConfig, answer: BindResult, binding?: TargetBinding
): Refusal | undefined {
  if (!answer.ok) return badTarget(attempt, config.target, answer.problem)
  if (isFull(attempt)) return overloaded(attempt.reply)
  return attempt.open(config, (transport, made) => {
    openConnection(attempt, config, { transport, target: answer.value, binding }, made)
  })
}

/** Does the same with a process that starts for this connection when its transport is open. */
function openWithBody (
  attempt: Attempt, config: ResolvedConfig, { body, args }: BodyOfConnection
): Refusal | undefined {
  const { relay: { runtime }, reply } = attempt
  try {
    runtime.checkOpen()
  } catch (err) {
    return withRetryAfter(reply, err as Refusal)
  }
  if (isFull(attempt)) return overloaded(reply)
  return attempt.open(config, (transport, made) => {
    const target = runtime.spawner.start(body, { args }, 'process', body.name)
    const binding = new OwnedProcess(runtime, target)
    openConnection(attempt, config, { transport, target, binding }, made)
  })
}

function isFull ({ relay }: Attempt): boolean {
  return relay.connections.size >= relay.options.maxConnections
}

type Bound = Pick<ConnectionOptions, 'transport' | 'target' | 'binding'>

/** Called when nothing can refuse the connection any more. @param made of `Connect` */
function openConnection (
  { relay, settings }: Attempt,
  config: ResolvedConfig,
  { transport, target, binding }: Bound,
  made: (() => void) | undefined
): void {
  const options = { relay, settings, target, binding, config, transport }
  const connection = config.protocol === undefined
    ? new Connection(options)
    : new ProtocolConnection(options, config.protocol)
  made?.()
  relay.upgrades.upgradeAccepted(connection.pid, target.pid)
  connection.open()
}
