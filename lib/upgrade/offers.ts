// The parts of a request that the token of a session covers.
import { offerOf } from '../session/offer.js'
import { Session } from '../session/session.js'
import type { FastifyRequest } from 'fastify'
import type { UpgradeServer } from '../registration/upgrade-server.js'

/** @returns empty where the client sends no `Origin`, as most programs */
export function originOf (request: FastifyRequest): string {
  return request.headers.origin ?? ''
}

/** The URL up to `?`: tickets in the query are new in each request. */
export function pathOf ({ raw: { url } }: FastifyRequest): string {
  return url!.split('?', 1)[0]
}

/** Whether a connection would resume a session, which counts for `maxConnections` already. */
export function namesLivingSession (relay: UpgradeServer, request: FastifyRequest): boolean {
  const resume = offerOf(request.raw)?.resume
  if (resume === undefined || resume === 'malformed') return false
  const found = relay.sessions.find(resume, originOf(request), pathOf(request))
  return found.ok && found.value.session instanceof Session
}
