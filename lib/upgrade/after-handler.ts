import { errorCodes } from '../errors.js'
import { parseConfig } from '../connection/config.js'
import { Connection } from '../connection/connection.js'
import { ProtocolConnection } from '../connection/protocol/protocol-connection.js'
import { OwnedProcess } from '../connection/target/owned-process.js'
import { requestTarget } from '../connection/target/target-request.js'
import { negotiate } from '../websocket/deflate.js'
import { WebSocketTransport } from '../websocket/transport.js'
import { asTarget } from '../process/entity.js'
import { unmark } from '../registration/fastify-websocket.js'
import { Farewell } from '../session/farewell.js'
import { offerOf, relayProtocol } from '../session/offer.js'
import { Session } from '../session/session.js'
import { handshakeOf } from './arrival.js'
import {
  asksForWebSocket, badTarget, checkUpgrade, goneMeanwhile, notAnUpgrade, overloaded,
  warnOfField, withRetryAfter, withStatus
} from './refusals.js'
import { bodyOf } from './relay-body.js'
import { extractHeader } from './relay-header.js'
import { isFailed, isProxied } from './reply.js'
import { checkWindow, foundSession, newSession } from './resume.js'
import {
  chosenProtocol, completeUpgrade, discardBody, removeBodyHeaders, switchingProtocolsHead,
  warnOfProtocol
} from './switching-protocols.js'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { BindResult } from '../process/remote/remote-nodes.js'
import type { TargetBinding } from '../connection/target/binding.js'
import type { TargetRequest } from '../connection/target/target-request.js'
import type { ConnectionOptions } from '../connection/connection-options.js'
import type { ResolvedConfig } from '../connection/config.js'
import type { Attempt, Refusal } from './refusals.js'
import type { Found } from '../session/sessions.js'
import type { BodyOfConnection } from './relay-body.js'
import type { Registration, RouteMode } from '../registration/registration.js'

type Next = (err?: Refusal | null, payload?: unknown) => void

/**
 * The `onSend` hook: the table "After the handler" in docs/upgrades.md. Takes the relay's header
 * off the reply, and upgrades the request if it may.
 *
 * @param mode the mode of the route; undefined when it was declared before the plugin
 */
export function afterHandler (
  registration: Registration,
  mode: RouteMode | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
  sent: unknown,
  done: Next
): void {
  const handshake = handshakeOf(request.raw)
  // An async handler called reply.send() and then returned while the remote node was still being
  // asked, so Fastify runs onSend a second time.
  if (handshake?.isWaitingForRemote === true) return
  const { value, payload } = extractHeader(reply, sent)
  const found = handshake && foundSession(request)
  const isAsked = value !== undefined || found !== undefined
  const mayUpgrade = isAsked && isSuccess(reply.statusCode) && !isFailed(reply)
  const settings = mayUpgrade ? settingsFor(registration, mode, request, reply) : 'off'
  // When the client has gone, the reply goes its ordinary way: nobody will receive it.
  if (settings === 'off' || settings === 'native' || handshake?.isOpen === false) {
    handshake?.responseStarted(reply.statusCode)
    return done(null, payload)
  }
  const refuse = (refusal: Refusal): void => { sendRefusal(refusal, reply, payload, done) }
  if (handshake === undefined || !asksForWebSocket(request)) {
    return refuse(notAnUpgrade(request, reply))
  }
  const { relay } = registration
  const attempt = { relay, settings, handshake, request, reply }
  // The checks have not run yet if an earlier hook replied, or if no route matched.
  if (!handshake.hasPassedChecks) {
    const refusal = checkUpgrade(attempt)
    if (refusal !== undefined) return refuse(refusal)
    unmark(request, handshake.socket)
  }
  if (found !== undefined) {
    const refusal = continueSession(attempt, found)
    if (refusal !== undefined) return refuse(refusal)
    return discardBody(payload)
  }
  const result = checkWindow(parseConfig(value, settings), settings)
  if (!result.ok) {
    request.log.error(`invalid X-WS-Relay header: ${result.problem}`)
    return refuse(new errorCodes.FST_WS_RELAY_INVALID_CONFIG())
  }
  const config = result.value
  if (config.misspelt !== undefined) warnOfField(attempt, config.misspelt)
  const body = bodyOf(value)
  if (body !== undefined) {
    const failure = upgradeWithBody(attempt, config, body)
    if (failure === undefined) return discardBody(payload)
    return refuse(failure)
  }
  const asked = requestTarget(relay.runtime, config.target)
  if (asked !== undefined) return upgradeWhenBound(asked, attempt, config, payload, done)
  const target = relay.runtime.processTable.findEntity(config.target)
  const failure = upgrade(attempt, config, asTarget(target))
  if (failure === undefined) discardBody(payload)
  else refuse(failure)
}

function isSuccess (statusCode: number): boolean {
  return statusCode === 101 || (statusCode >= 200 && statusCode <= 299)
}

/** A header that comes from another server opens a socket only where the route allows it. */
function settingsFor (
  registration: Registration,
  mode: RouteMode | undefined,
  request: FastifyRequest,
  reply: FastifyReply
): RouteMode {
  const settings = mode ?? registration.modeFor(request)
  return typeof settings === 'object' && !settings.proxied && isProxied(reply) ? 'off' : settings
}

/** Fastify sends the error, and discards the body of the reply. */
function sendRefusal (refusal: Refusal, reply: FastifyReply, payload: unknown, done: Next): void {
  discardBody(payload)
  removeBodyHeaders(reply)
  done(withStatus(reply, refusal))
}

/** Asks the remote node of the target, or waits for its start, and upgrades with the answer. */
function upgradeWhenBound (
  asked: TargetRequest, attempt: Attempt, config: ResolvedConfig, payload: unknown, done: Next
): void {
  const { handshake, reply } = attempt
  const onClientGone = (): void => {
    asked.release()
    done(null, payload)
  }
  const onRefused = (error: Refusal): void => {
    asked.release()
    sendRefusal(error, reply, payload, done)
  }
  handshake.waitForRemote(reply, { waitsFor: asked.waitsFor, onClientGone, onRefused })
  asked.requestBinding((answer) => {
    handshake.remoteAnswered()
    if (!handshake.isOpen) return onClientGone()
    const failure = upgrade(attempt, config, answer, asked.binding)
    if (failure === undefined) discardBody(payload)
    else onRefused(failure)
  })
}

/** Makes the request a connection that is bound to its target. @returns the refusal if it cannot */
function upgrade (
  attempt: Attempt, config: ResolvedConfig, answer: BindResult, binding?: TargetBinding
): Refusal | undefined {
  if (!answer.ok) return badTarget(attempt, config.target, answer.problem)
  return openConnection(attempt, config, () => ({ target: answer.value, binding }))
}

/** Does the same with a process that starts for this connection when the 101 is written. */
function upgradeWithBody (
  attempt: Attempt, config: ResolvedConfig, { body, args }: BodyOfConnection
): Refusal | undefined {
  const { relay: { runtime }, reply } = attempt
  try {
    runtime.checkOpen()
  } catch (err) {
    return withRetryAfter(reply, err as Refusal)
  }
  return openConnection(attempt, config, () => {
    const target = runtime.spawner.start(body, { args }, 'process', body.name)
    return { target, binding: new OwnedProcess(runtime, target) }
  })
}

type Bound = Pick<ConnectionOptions, 'target' | 'binding'>

/** @param bind called when nothing can refuse the upgrade any more */
function openConnection (
  attempt: Attempt, config: ResolvedConfig, bind: () => Bound
): Refusal | undefined {
  const { relay, settings, request, reply } = attempt
  if (relay.connections.size >= relay.options.maxConnections) return overloaded(reply)
  const protocol = chosenProtocol(request, reply.getHeader('sec-websocket-protocol'))
  if (protocol === undefined) warnOfProtocol(attempt)
  const begun = newSession(attempt, config, protocol)
  return switchProtocols(attempt, protocol, (transport) => {
    if (begun?.why !== undefined) relay.counters.resumeAnswered(begun.why)
    const session = begun && new Session(relay.sessions, transport, begun.terms)
    const { target, binding } = bind()
    const options = {
      relay, settings, target, binding, config, transport: session ?? transport
    }
    const connection = config.protocol === undefined
      ? new Connection(options)
      : new ProtocolConnection(options, config.protocol)
    session?.start(relay.runtime.pids.lastSerial, begun!.scope, begun!.why)
    relay.upgrades.upgradeAccepted(connection.pid, target.pid)
    connection.open()
  })
}

/** Continues a session on the socket, or tells the client how it ended. */
function continueSession (
  attempt: Attempt, { session, offer }: Found
): Refusal | undefined {
  const { relay, reply } = attempt
  if (!(session instanceof Session)) {
    const { reason } = session
    return switchProtocols(attempt, undefined, (transport) => {
      relay.counters.resumeAnswered('ended')
      new Farewell(relay, transport).say(reason!)
    })
  }
  // The hooks of the reply took their time: the client tries again.
  if (!session.acceptsOffers || !session.canReplayAfter(offer.received)) return goneMeanwhile(reply)
  return switchProtocols(attempt, undefined, (transport) => {
    relay.counters.resumeAnswered('resumed')
    session.attach(transport, offer)
  })
}

/**
 * Writes the 101, and opens a transport on the socket.
 * @param protocol the application's protocol that the handler chose
 * @returns the refusal if a header of the reply cannot be sent
 */
function switchProtocols (
  attempt: Attempt, protocol: string | undefined, open: (transport: WebSocketTransport) => void
): Refusal | undefined {
  const { relay, settings, handshake, handshake: { socket }, request, reply } = attempt
  const offered = request.headers['sec-websocket-extensions']
  const deflate = negotiate(offered, relay.options.perMessageDeflate, settings.maxPayload)
  const subprotocol = offerOf(request.raw) === undefined ? protocol : relayProtocol
  let head: string
  try {
    head = switchingProtocolsHead(request, reply, subprotocol, deflate?.response)
  } catch (err) {
    // With these headers the reply of the error would fail as well.
    for (const name of Object.keys(reply.getHeaders())) reply.removeHeader(name)
    request.log.error({ err }, 'a reply header cannot be sent')
    return new errorCodes.FST_WS_RELAY_INVALID_CONFIG({ cause: err })
  }
  const transport = new WebSocketTransport({ server: relay, socket, settings, deflate })
  completeUpgrade(reply, head, handshake, transport, relay.runtime.clock, open)
  return undefined
}
