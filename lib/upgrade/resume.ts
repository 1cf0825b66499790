// The offers of clients that count messages, from the first hook to the 101.
import { show, toError } from '../errors.js'
import { noResume } from '../registration/resume-options.js'
import { failure } from '../shared/result.js'
import { offerOf, scopeOf } from '../session/offer.js'
import { Session } from '../session/session.js'
import { handshakeOf } from './arrival.js'
import { responseEnded } from './reply.js'
import type { FastifyInstance, FastifyRequest, RouteHandlerMethod } from 'fastify'
import type { ResolvedConfig } from '../connection/config.js'
import type { ResumeSettings } from '../registration/resume-options.js'
import type { RouteSettings } from '../registration/options.js'
import type { UpgradeServer } from '../registration/upgrade-server.js'
import type { Result } from '../shared/result.js'
import type { RefusedBecause } from '../session/controls.js'
import type { SessionPolicy, SessionTerms } from '../session/session-host.js'
import type { Found } from '../session/sessions.js'
import type { TokenScope } from '../session/offer.js'
import type { UpgradeAttempt } from './refusals.js'

/** The answer to an offer, decided after the last hook. */
interface Decision {
  /** False: a new connection cannot be resumed. */
  readonly owner: OwnerAnswer
  /** The session that continues, or that ended while its client was away. */
  readonly found?: Found
  /** Why the handler ran although a resume was asked for. */
  readonly why?: RefusedBecause
}

const ofRequest = Symbol('fastify-ws-relay.resume')

function decisionOf (request: FastifyRequest): Decision | undefined {
  return (request.raw as { [ofRequest]?: Decision })[ofRequest]
}

/**
 * Wraps the handler of a route with the option `resume`. A valid offer to resume takes the place of
 * the handler: all hooks before it have run, and those of `onSend` follow.
 */
export function wrapHandler (
  handler: RouteHandlerMethod, relay: UpgradeServer, { owner: nameOwner }: ResumeSettings
): RouteHandlerMethod {
  return function (this: FastifyInstance, request, reply) {
    const handle = (): unknown => handler.call(this, request, reply)
    if (!request.wsUpgradable || offerOf(request.raw) === undefined) return handle()
    const answer = (owner: OwnerAnswer): unknown => {
      const decision = decide(relay, request, owner)
      Object.assign(request.raw, { [ofRequest]: decision })
      if (decision.found === undefined) return handle()
      reply.send()
      return undefined
    }
    const owner = nameOwner === undefined ? anonymous : askOwner(nameOwner, request)
    if (!(owner instanceof Promise)) return answer(owner)
    return owner.then((name) => {
      const result = answer(name)
      // The handler, or the hooks of the reply, may need more time.
      return result === undefined ? responseEnded(reply) : result
    })
  }
}

/** The user that the option `owner` has named; false: it failed. */
type OwnerAnswer = { readonly name: string | undefined } | false

const anonymous: OwnerAnswer = { name: undefined }

/** @returns a promise only if `owner` does, so that most handlers run without one */
function askOwner (
  nameOwner: NonNullable<ResumeSettings['owner']>, request: FastifyRequest
): OwnerAnswer | Promise<OwnerAnswer> {
  const failed = (err: unknown): OwnerAnswer => {
    request.log.error({ err: toError(err) }, "the option 'owner' failed")
    return false
  }
  const named = (name: unknown): OwnerAnswer => {
    if (name === undefined || typeof name === 'string') return { name }
    return failed(new TypeError(`expected a string or undefined, got '${show(name)}'`))
  }
  try {
    const name: unknown = nameOwner(request)
    return isThenable(name) ? Promise.resolve(name).then(named, failed) : named(name)
  } catch (err) {
    return failed(err)
  }
}

function isThenable (value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function'
}

function decide (relay: UpgradeServer, request: FastifyRequest, owner: OwnerAnswer): Decision {
  const { resume, resumesBefore } = offerOf(request.raw)!
  if (resume === undefined) return { owner }
  const handshake = handshakeOf(request.raw)!
  const isReadable = resume !== 'malformed' && !handshake.isInjected
  if (!isReadable || owner === false) return { owner, why: 'refused' }
  const found = relay.sessions.find(resume, scopeOf(request.raw))
  if (!found.ok) return { owner, why: found.problem }
  const { session } = found.value
  if (session.owner !== owner.name) return { owner, why: 'refused' }
  if (!(session instanceof Session)) {
    if (session.reason === undefined) return { owner, why: 'full' }
    return { owner, found: found.value }
  }
  if (session.isClaimed(resumesBefore)) return { owner, why: 'refused' }
  if (!session.canReplayAfter(resume.received)) {
    session.endForGap()
    return { owner, why: 'gap' }
  }
  session.claimFor(handshake)
  return { owner, found: found.value }
}

/** The session that continues instead of the handler's reply, or that ended meanwhile. */
export function foundSession (request: FastifyRequest): Found | undefined {
  return decisionOf(request)?.found
}

/** A new session, and its first hello. */
export interface NewSession {
  readonly terms: SessionTerms
  readonly scope: TokenScope
  readonly why: RefusedBecause | undefined
}

/**
 * @param protocol the application's protocol that the handler chose
 * @returns undefined for a plain client
 */
export function newSession (
  { relay, settings, handshake, request }: UpgradeAttempt, config: ResolvedConfig, protocol = ''
): NewSession | undefined {
  const offer = offerOf(request.raw)
  if (offer === undefined) return undefined
  const decision = decisionOf(request)
  const owner = decision?.owner ?? false
  const mayResume = owner !== false && !handshake.isInjected
  const policy = mayResume ? policyOf(settings, config) : noResume
  const terms = { policy, owner: owner === false ? undefined : owner.name, protocol }
  // Without a decision the route does not allow to resume.
  const why = decision === undefined && offer.resume !== undefined ? 'refused' : decision?.why
  return { terms, scope: scopeOf(request.raw), why }
}

function policyOf ({ resume }: RouteSettings, config: ResolvedConfig): SessionPolicy {
  if (resume === false || config.resume === false) return noResume
  const { policy } = resume
  return config.resume === undefined ? policy : { ...policy, window: config.resume }
}

/** Refuses a header that asks for a longer window than the route allows. */
export function checkWindow (
  parsed: Result<ResolvedConfig>, { resume }: RouteSettings
): Result<ResolvedConfig> {
  if (!parsed.ok || typeof parsed.value.resume !== 'number') return parsed
  const longest = resume === false ? 0 : resume.policy.window
  if (parsed.value.resume <= longest) return parsed
  return failure(`resume: expected at most ${longest} ms, as its route allows`)
}
