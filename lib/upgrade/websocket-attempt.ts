import { errorCodes } from '../errors.js'
import { negotiate } from '../websocket/deflate.js'
import { WebSocketTransport } from '../websocket/transport.js'
import { Farewell } from '../session/farewell.js'
import { offerOf, relayProtocol } from '../session/offer.js'
import { Session } from '../session/session.js'
import { goneMeanwhile } from './refusals.js'
import { newSession } from './resume.js'
import {
  beginUpgrade, chooseProtocol, endUpgrade, switchingProtocolsHead
} from './switching-protocols.js'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ResolvedConfig } from '../connection/config.js'
import type { RouteSettings } from '../registration/options.js'
import type { UpgradeServer } from '../registration/upgrade-server.js'
import type { Found } from '../session/sessions.js'
import type { NewSession } from './resume.js'
import type { Handshake } from './handshake/handshake.js'
import type { Connect, Refusal, UpgradeAttempt } from './refusals.js'
import type { RemoteQuery } from './reply.js'

/** Answers an upgrade with a 101. The socket is that of the handshake, which limits all waits. */
export class WebSocketAttempt implements UpgradeAttempt {
  readonly relay: UpgradeServer
  readonly settings: RouteSettings
  readonly handshake: Handshake
  readonly request: FastifyRequest
  readonly reply: FastifyReply

  constructor (
    relay: UpgradeServer,
    settings: RouteSettings,
    handshake: Handshake,
    request: FastifyRequest,
    reply: FastifyReply
  ) {
    this.relay = relay
    this.settings = settings
    this.handshake = handshake
    this.request = request
    this.reply = reply
  }

  get isOpen (): boolean {
    return this.handshake.isOpen
  }

  waitForRemote (query: RemoteQuery): void {
    this.handshake.waitForRemote(this.reply, query)
  }

  remoteAnswered (): void {
    this.handshake.remoteAnswered()
  }

  open (config: ResolvedConfig, connect: Connect): Refusal | undefined {
    const protocol = chooseProtocol(this)
    const begun = newSession(this, config, protocol)
    const transport = this.#switchProtocols(protocol)
    if (transport instanceof Error) return transport
    if (begun === undefined) connect(transport)
    else this.#connectSession(begun, transport, connect)
    endUpgrade(this, transport)
    return undefined
  }

  #connectSession (
    { terms, scope, why }: NewSession, transport: WebSocketTransport, connect: Connect
  ): void {
    const { relay } = this
    if (why !== undefined) relay.counters.resumeAnswered(why)
    const session = new Session(relay.sessions, transport, terms)
    connect(session, () => { session.start(relay.runtime.pids.lastSerial, scope, why) })
  }

  /** Continues a session on the socket, or tells the client how it ended. */
  continueSession ({ session, offer }: Found): Refusal | undefined {
    const { relay, reply } = this
    const continues = session instanceof Session
    // The hooks of the reply took their time: the client tries again.
    const isGone = continues && !(session.acceptsOffers && session.canReplayAfter(offer.received))
    if (isGone) return goneMeanwhile(reply)
    const transport = this.#switchProtocols(undefined)
    if (transport instanceof Error) return transport
    relay.counters.resumeAnswered(continues ? 'resumed' : 'ended')
    if (continues) session.attach(transport, offer)
    else new Farewell(relay, transport).say(session.reason!)
    endUpgrade(this, transport)
    return undefined
  }

  /**
   * Writes the 101, and makes a transport on the socket. `endUpgrade` is called when it is open.
   * @param protocol the application's protocol that the handler chose
   * @returns the refusal if a header of the reply cannot be sent
   */
  #switchProtocols (protocol: string | undefined): WebSocketTransport | Refusal {
    const { relay, settings, handshake: { socket }, request, reply } = this
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
    beginUpgrade(this, head)
    return transport
  }
}
