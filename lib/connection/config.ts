import { Type } from '@sinclair/typebox'
import type { Static, TSchema } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { TypeCheck } from '@sinclair/typebox/compiler'
import { show, toError } from '../errors.js'
import { toMilliseconds } from '../shared/duration.js'
import { failure, success } from '../shared/result.js'
import { similarTo } from '../shared/similar.js'
import { beginsAddress, isKeyAddress, maxAddressLength } from '../process/keyed/address.js'
import { isName } from '../process/registry/names.js'
import { isPid } from '../process/pid.js'
import {
  limitControls, limitExpectations, limitFields, parseLimits, readLimits
} from './limits/limit-fields.js'
import { policyAfter } from './park/policy.js'
import { ProtocolDefinition } from './protocol/definition.js'
import { setsPrototype } from './protocol/prototype-keys.js'
import type { Result } from '../shared/result.js'
import type { Metadata } from '../../types/messages.js'
import type { LimitChange } from './limits/limit-fields.js'
import type { OnTargetExit, ParkPolicy } from './park/policy.js'
import type { ProtocolRules } from './protocol/definition.js'
import type { Duration } from '../../types/pid.js'
import type { Protocol } from '../../types/protocol.js'

/** The topic of a client's messages if `message_topic` is not given. */
export const defaultTopic = 'ws.message'

/** The metadata of connections without `metadata`. All share this object. */
export const noMetadata: Metadata = Object.freeze({})

const minHeartbeat = 100
const maxHeartbeat = 24 * 60 * 60 * 1000
const minPark = 100
const maxPark = 5 * 60 * 1000
const maxMetadataDepth = 8
/** The shortest time in milliseconds for which a connection lives without its socket. */
export const minWindow = 1000

const maxTargetLength = maxAddressLength
/**
 * Bytes of an object with `target_pid` alone as JSON, where a character takes at most six bytes.
 */
const maxBareTargetBytes = '{"target_pid":""}'.length + 6 * maxTargetLength

const target = Type.String({ minLength: 1, maxLength: maxTargetLength })
const topic = Type.String({ minLength: 1, maxLength: 128, pattern: '^(?!@|ws\\.(?!message$))' })
const duration = Type.Union([Type.Number(), Type.String({ maxLength: 64 })])
const metadata = Type.Record(Type.String(), Type.Unknown())
const resume = Type.Union([Type.Boolean(), Type.Number(), Type.String({ maxLength: 64 })])
const onTargetExit = Type.Union([Type.Literal('close'), Type.Literal('park')])

/**
 * The schema of `X-WS-Relay`, if its value is an object. Unknown fields are ignored. Some rules are
 * not part of it: a heartbeat is from 100 ms to 24 h, `park` from 100 ms to 5 min and needs
 * `on_target_exit: 'park'`, which needs a name or a key as its target, `metadata` is limited to a
 * number of bytes and to 8 levels, and `protocol` is a value of the function `protocol`. `limit`
 * has at least one of its rates, from 1 an hour. `expires_in` is from 100 ms to 366 days and not
 * together with `expires_at`, and `expiry_notice` is from 100 ms to 24 h.
 */
export const RelayConfigSchema = Type.Object({
  target_pid: target,
  message_topic: Type.Optional(topic),
  heartbeat_interval: Type.Optional(duration),
  metadata: Type.Optional(metadata),
  resume: Type.Optional(resume),
  on_target_exit: Type.Optional(onTargetExit),
  park: Type.Optional(duration),
  protocol: Type.Optional(Type.Unsafe<Protocol>(Type.Unknown())),
  ...limitFields
})

/**
 * The schema of `ws.control`: the fields of {@link RelayConfigSchema} but `resume` and `protocol`,
 * all optional. `null` resets a field.
 */
export const RelayControlSchema = Type.Object({
  target_pid: Type.Optional(target),
  message_topic: Type.Optional(Type.Union([topic, Type.Null()])),
  heartbeat_interval: Type.Optional(Type.Union([duration, Type.Null()])),
  metadata: Type.Optional(Type.Union([metadata, Type.Null()])),
  on_target_exit: Type.Optional(Type.Union([onTargetExit, Type.Null()])),
  park: Type.Optional(Type.Union([duration, Type.Null()])),
  ...limitControls
})

const configCheck: TypeCheck<TSchema> = TypeCompiler.Compile(RelayConfigSchema)
const controlCheck: TypeCheck<TSchema> = TypeCompiler.Compile(RelayControlSchema)

const expectations: Record<string, string> = {
  target_pid: 'a PID, a registered name or the address of a key',
  message_topic: "1 to 128 characters, not beginning with '@', " +
    "and no 'ws.' topic other than 'ws.message'",
  heartbeat_interval: 'milliseconds, or a string of at most 64 characters',
  metadata: 'a plain object',
  resume: 'a boolean, milliseconds, or a string of at most 64 characters',
  on_target_exit: "'close' or 'park'",
  park: 'milliseconds, or a string of at most 64 characters',
  protocol: 'the value that protocol() returned, by reference: JSON cannot contain it',
  ...limitExpectations
}

/** A valid value of `X-WS-Relay`, with all defaults filled in. */
export interface ResolvedConfig extends LimitChange {
  readonly target: string
  readonly topic: string
  /** Milliseconds; 0: no heartbeat. */
  readonly heartbeat: number
  /** A deeply frozen copy. */
  readonly metadata: Metadata
  /** Milliseconds; false: this connection cannot be resumed; undefined: as its route says. */
  readonly resume?: number | false
  /** Undefined: `close`. */
  readonly onTargetExit?: OnTargetExit
  /** Milliseconds; null, or undefined in a header: the default. */
  readonly park?: number | null
  /** Of a header only: what these two and the target mean together. */
  readonly parkPolicy?: ParkPolicy
  /** Of a header only: the messages of the client are checked. */
  readonly protocol?: ProtocolRules
  /** A field that does not exist and is similar to one that does. It is ignored. */
  readonly misspelt?: MisspeltField
}

export interface MisspeltField {
  readonly field: string
  readonly expected: string
}

/** A value of which only the target is missing. */
const defaults: ResolvedConfig = {
  target: '',
  topic: defaultTopic,
  heartbeat: 0,
  metadata: noMetadata
}

/** The given fields of a valid `ws.control`. A field that `null` reset has its default. */
export type ControlChange = { -readonly [K in keyof ResolvedConfig]?: ResolvedConfig[K] }

/** Bytes of the value as JSON in UTF-8. A larger value is invalid. */
export interface ConfigLimits {
  readonly maxConfigSize: number
  readonly maxMetadataSize: number
}

/** An invalid value. It is thrown and caught in this file only. */
class ConfigProblem {
  readonly #text: string

  constructor (text: string) {
    this.#text = text
  }

  /** Not `instanceof`: a getter may throw a proxy, and `instanceof` would run the code of that. */
  static textOf (thrown: unknown): string {
    return typeof thrown === 'object' && thrown !== null && #text in thrown
      ? thrown.#text
      : 'it cannot be read as JSON (a getter that throws, a BigInt, a circle, too deep)'
  }
}

/** Whether a value is an object that no class made, in this realm or in another one. */
export function isPlain (value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function toPlain (value: unknown, what: string): Record<string, unknown> {
  if (isPlain(value)) return value
  throw new ConfigProblem(`${what}: expected a plain object, got ${show(value)}`)
}

function limitBytes (text: string, limit: number, what: string): void {
  const bytes = Buffer.byteLength(text)
  if (bytes <= limit) return
  throw new ConfigProblem(`${what}: expected at most ${limit} bytes, got ${bytes}`)
}

/**
 * Freezes the result of JSON.parse. It also removes the keys that would set a prototype when an
 * application merges metadata into another object.
 */
function cleanAndFreeze (value: unknown, level: number): void {
  if (typeof value !== 'object' || value === null) return
  if (level > maxMetadataDepth) {
    throw new ConfigProblem(`metadata: expected at most ${maxMetadataDepth} levels`)
  }
  const record = value as Record<string, unknown>
  for (const key of Object.keys(record)) {
    const item = record[key]
    if (setsPrototype(key, item)) delete record[key]
    else cleanAndFreeze(item, level + 1)
  }
  Object.freeze(record)
}

function toMetadata (value: unknown, limit: number): Metadata {
  const text = JSON.stringify(toPlain(value, 'metadata'))
  limitBytes(text, limit, 'metadata')
  // Checked again, because a toJSON method may return anything.
  const copy = toPlain(JSON.parse(text), 'metadata')
  cleanAndFreeze(copy, 1)
  return Object.keys(copy).length === 0 ? noMetadata : copy
}

function toDuration (field: string, value: string | number, min: number, max: number): number {
  try {
    return Math.round(toMilliseconds(value, min, max))
  } catch (err) {
    throw new ConfigProblem(`${field}: ${toError(err).message}`)
  }
}

function toHeartbeat (value: string | number): number {
  return toDuration('heartbeat_interval', value, minHeartbeat, maxHeartbeat)
}

function toResume (value: boolean | Duration | undefined): number | false | undefined {
  if (value === undefined || value === true) return undefined
  if (value === false) return false
  try {
    return toMilliseconds(value, minWindow)
  } catch (err) {
    throw new ConfigProblem(`resume: ${toError(err).message}`)
  }
}

/** No schema can tell: the value has to be the one that `protocol()` returned. */
function toProtocol (value: unknown): ProtocolRules | undefined {
  if (value === undefined) return undefined
  const rules = ProtocolDefinition.rulesOf(value)
  if (rules !== undefined) return rules
  throw new ConfigProblem(`protocol: expected ${expectations.protocol}, got ${show(value)}`)
}

function fromText (text: string, limits: ConfigLimits): unknown {
  limitBytes(text, limits.maxConfigSize, 'value')
  const trimmed = text.trim()
  if (!trimmed.startsWith('{')) {
    if (isPid(trimmed) || isName(trimmed) || isKeyAddress(trimmed)) return { target_pid: trimmed }
    const got = show(trimmed)
    throw new ConfigProblem(
      `value: expected a JSON object, a PID or a registered name, got '${got}'`)
  }
  try {
    return JSON.parse(trimmed)
  } catch (err) {
    throw new ConfigProblem(`value: ${show(toError(err).message)}`)
  }
}

function fromObject (value: unknown, limits: ConfigLimits): unknown {
  limitBytes(JSON.stringify(toPlain(value, 'value')), limits.maxConfigSize, 'value')
  return value
}

/**
 * Fast path for an object that has only `target_pid`, as most do: its size is known without JSON,
 * and no schema is needed.
 * @returns the target; undefined if the value is anything else
 */
function bareTarget (value: unknown, limits: ConfigLimits): string | undefined {
  if (!isPlain(value) || limits.maxConfigSize < maxBareTargetBytes) return undefined
  for (const name in value) if (name !== 'target_pid') return undefined
  const { target_pid: target } = value
  if (typeof target !== 'string') return undefined
  return target.length >= 1 && target.length <= maxTargetLength ? target : undefined
}

/** Names are compared, values are not read. Unknown fields that are similar to none are allowed. */
function misspeltIn (value: object): MisspeltField | undefined {
  for (const field of Object.keys(value)) {
    if (Object.hasOwn(expectations, field)) continue
    const expected = similarTo(field, Object.keys(expectations))
    if (expected !== undefined) return { field: show(field), expected }
  }
  return undefined
}

/**
 * Checks the given fields. Each field is read once, because a getter may return another value the
 * next time.
 */
function toChange (
  value: unknown, check: TypeCheck<TSchema>, limits: ConfigLimits
): ControlChange {
  const {
    target_pid, message_topic, heartbeat_interval, metadata, resume, on_target_exit, park, protocol
  } = value as Record<string, unknown>
  // Not checked as JSON: NaN would become null there, and null resets a field.
  const fields: unknown = {
    target_pid,
    message_topic,
    heartbeat_interval,
    metadata,
    resume,
    on_target_exit,
    park,
    ...readLimits(value as Record<string, unknown>)
  }
  if (!check.Check(fields)) {
    const [error] = check.Errors(fields)
    const field = error.path.slice(1)
    const expected = expectations[field] ?? 'no such field'
    throw new ConfigProblem(`${field}: expected ${expected}, got ${show(error.value)}`)
  }
  const given = fields as Static<typeof RelayControlSchema> & Static<typeof RelayConfigSchema>
  const ofLimits = parseLimits(given)
  if (!ofLimits.ok) throw new ConfigProblem(ofLimits.problem)
  const change: ControlChange = ofLimits.value
  if (given.target_pid !== undefined) change.target = given.target_pid
  if (given.message_topic !== undefined) change.topic = given.message_topic ?? defaultTopic
  if (given.heartbeat_interval !== undefined) {
    change.heartbeat = given.heartbeat_interval === null ? 0 : toHeartbeat(given.heartbeat_interval)
  }
  if (given.metadata !== undefined) {
    change.metadata = given.metadata === null
      ? noMetadata
      : toMetadata(given.metadata, limits.maxMetadataSize)
  }
  const resumeWithin = check === configCheck ? toResume(given.resume) : undefined
  if (resumeWithin !== undefined) change.resume = resumeWithin
  const rules = check === configCheck ? toProtocol(protocol) : undefined
  if (rules !== undefined) change.protocol = rules
  if (given.on_target_exit !== undefined) change.onTargetExit = given.on_target_exit ?? 'close'
  if (given.park !== undefined) {
    change.park = given.park === null ? null : toDuration('park', given.park, minPark, maxPark)
  }
  const misspelt = misspeltIn(value as object)
  if (misspelt !== undefined) change.misspelt = misspelt
  return change
}

/**
 * Reads the value of `X-WS-Relay`: an object, the same as a JSON string, or a bare PID or name. As
 * in JSON, an undefined field is absent. It never throws.
 *
 * @param value as the handler set it. It is not changed here, and may be changed afterwards
 * @returns the problem is for the log only, because it may quote the value
 */
export function parseConfig (value: unknown, limits: ConfigLimits): Result<ResolvedConfig> {
  try {
    const target = bareTarget(value, limits)
    if (target !== undefined && !beginsAddress(target)) {
      return success({ target, topic: defaultTopic, heartbeat: 0, metadata: noMetadata })
    }
    const source = typeof value === 'string' ? fromText(value, limits) : fromObject(value, limits)
    const change = toChange(source, configCheck, limits)
    const policy = policyAfter(change, change.target)
    if (!policy.ok) return policy
    if (policy.value === undefined) return success({ ...defaults, ...change })
    return success({ ...defaults, ...change, parkPolicy: policy.value })
  } catch (err) {
    return failure(ConfigProblem.textOf(err))
  }
}

/**
 * Reads the payload of `ws.control`: an object, with the rules of {@link parseConfig} for its
 * fields. It never throws.
 */
export function parseControl (value: unknown, limits: ConfigLimits): Result<ControlChange> {
  try {
    return success(toChange(fromObject(value, limits), controlCheck, limits))
  } catch (err) {
    return failure(ConfigProblem.textOf(err))
  }
}
