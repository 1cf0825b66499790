import { Type } from '@sinclair/typebox'
import type { Static, TSchema } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { TypeCheck } from '@sinclair/typebox/compiler'
import { show, toError } from '../errors.js'
import { toMilliseconds } from '../shared/duration.js'
import { isName } from '../process/registry/names.js'
import { isPid } from '../process/pid.js'
import type { Metadata } from '../../types/messages.js'

/** The topic of a client's messages where `message_topic` is not given. */
export const defaultTopic = 'ws.message'

/** The metadata of every connection that was given none. */
export const noMetadata: Metadata = Object.freeze({})

const minHeartbeat = 100
const maxHeartbeat = 24 * 60 * 60 * 1000
const maxMetadataDepth = 8

const maxTargetLength = 256
/** As JSON, in bytes: one character is at most six of them. */
const maxBareTargetBytes = '{"target_pid":""}'.length + 6 * maxTargetLength

const target = Type.String({ minLength: 1, maxLength: maxTargetLength })
const topic = Type.String({ minLength: 1, maxLength: 128, pattern: '^(?!@|ws\\.(?!message$))' })
const heartbeat = Type.Union([Type.Number(), Type.String({ maxLength: 64 })])
const metadata = Type.Record(Type.String(), Type.Unknown())

/**
 * The value of `X-WS-Relay` as an object. Unknown fields are ignored. Two rules are not in it: a
 * heartbeat is from 100 ms to 24 h, and `metadata` is limited in bytes and to 8 levels.
 */
export const RelayConfigSchema = Type.Object({
  target_pid: target,
  message_topic: Type.Optional(topic),
  heartbeat_interval: Type.Optional(heartbeat),
  metadata: Type.Optional(metadata)
})

/** The payload of `ws.control`: as {@link RelayConfigSchema}, all optional; `null` resets a field. */
export const RelayControlSchema = Type.Object({
  target_pid: Type.Optional(target),
  message_topic: Type.Optional(Type.Union([topic, Type.Null()])),
  heartbeat_interval: Type.Optional(Type.Union([heartbeat, Type.Null()])),
  metadata: Type.Optional(Type.Union([metadata, Type.Null()]))
})

const configCheck: TypeCheck<TSchema> = TypeCompiler.Compile(RelayConfigSchema)
const controlCheck: TypeCheck<TSchema> = TypeCompiler.Compile(RelayControlSchema)

const expectations: Record<string, string> = {
  target_pid: 'a PID or a registered name of 1 to 256 characters',
  message_topic: "1 to 128 characters, not beginning with '@', and no 'ws.' topic other than 'ws.message'",
  heartbeat_interval: 'milliseconds, or a string of at most 64 characters',
  metadata: 'a plain object'
}

/** A valid `X-WS-Relay`, with all defaults filled in. */
export interface ResolvedConfig {
  readonly target: string
  readonly topic: string
  /** Milliseconds; 0: no heartbeat. */
  readonly heartbeat: number
  /** A copy, deeply frozen. */
  readonly metadata: Metadata
}

/** The fields of a valid `ws.control` that were given; what `null` reset has its default. */
export type ControlChange = { -readonly [K in keyof ResolvedConfig]?: ResolvedConfig[K] }

/** Both in bytes of UTF-8, as JSON; a value that is larger is not valid. */
export interface ConfigLimits {
  readonly maxConfigSize: number
  readonly maxMetadataSize: number
}

/** `problem` says what is not valid. For the log only: it may quote the value. */
export type ConfigResult = { readonly ok: true, readonly config: ResolvedConfig } | { readonly ok: false, readonly problem: string }

/** As {@link ConfigResult}, of a `ws.control`. */
export type ControlResult = { readonly ok: true, readonly change: ControlChange } | { readonly ok: false, readonly problem: string }

/** Thrown and caught in this file only. */
class ConfigProblem {
  readonly #text: string

  constructor (text: string) {
    this.#text = text
  }

  /** Not `instanceof`: a getter may throw a proxy, which throws again when it is looked at. */
  static textOf (thrown: unknown): string {
    return typeof thrown === 'object' && thrown !== null && #text in thrown
      ? thrown.#text
      : 'it cannot be read as JSON (a getter that throws, a BigInt, a circle, too deep)'
  }
}

/** Made by `{}`, `Object.create(null)` or their like in another realm, and not by a class. */
function isPlain (value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function toPlain (value: unknown, what: string): Record<string, unknown> {
  if (!isPlain(value)) throw new ConfigProblem(`${what}: expected a plain object, got ${show(value)}`)
  return value
}

function limitBytes (text: string, limit: number, what: string): void {
  const bytes = Buffer.byteLength(text)
  if (bytes > limit) throw new ConfigProblem(`${what}: expected at most ${limit} bytes, got ${bytes}`)
}

/** Cleans and freezes, in place, what JSON.parse returned. */
function cleanAndFreeze (value: unknown, level: number): void {
  if (typeof value !== 'object' || value === null) return
  if (level > maxMetadataDepth) throw new ConfigProblem(`metadata: expected at most ${maxMetadataDepth} levels`)
  const record = value as Record<string, unknown>
  for (const key of Object.keys(record)) {
    const item = record[key]
    const isPrototype = key === '__proto__' ||
      (key === 'constructor' && typeof item === 'object' && item !== null && Object.hasOwn(item, 'prototype'))
    // Harmless here; in an application that merges metadata into an object it would set a prototype.
    if (isPrototype) delete record[key]
    else cleanAndFreeze(item, level + 1)
  }
  Object.freeze(record)
}

function toMetadata (value: unknown, limit: number): Metadata {
  const text = JSON.stringify(toPlain(value, 'metadata'))
  limitBytes(text, limit, 'metadata')
  // Once more: a toJSON method may return anything.
  const copy = toPlain(JSON.parse(text), 'metadata')
  cleanAndFreeze(copy, 1)
  return Object.keys(copy).length === 0 ? noMetadata : copy
}

function toHeartbeat (value: string | number): number {
  try {
    return Math.round(toMilliseconds(value, minHeartbeat, maxHeartbeat))
  } catch (err) {
    throw new ConfigProblem(`heartbeat_interval: ${toError(err).message}`)
  }
}

function fromText (text: string, limits: ConfigLimits): unknown {
  limitBytes(text, limits.maxConfigSize, 'value')
  const trimmed = text.trim()
  if (!trimmed.startsWith('{')) {
    if (!isPid(trimmed) && !isName(trimmed)) throw new ConfigProblem(`value: expected a JSON object, a PID or a registered name, got '${show(trimmed)}'`)
    return { target_pid: trimmed }
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
 * The target of an object that says nothing else, as most do: a valid one needs neither to be
 * written as JSON, to know its size, nor to be looked through. Undefined for any other value.
 */
function bareTarget (value: unknown, limits: ConfigLimits): string | undefined {
  if (!isPlain(value) || limits.maxConfigSize < maxBareTargetBytes) return undefined
  for (const name in value) if (name !== 'target_pid') return undefined
  const { target_pid: target } = value
  return typeof target === 'string' && target.length >= 1 && target.length <= maxTargetLength ? target : undefined
}

/** The given fields, checked. Each is read once: a getter might answer differently the next time. */
function toChange (value: unknown, check: TypeCheck<TSchema>, limits: ConfigLimits): ControlChange {
  const { target_pid, message_topic, heartbeat_interval, metadata } = value as Record<string, unknown>
  // As they are and not as JSON, in which NaN is null, and null resets a field.
  const fields: unknown = { target_pid, message_topic, heartbeat_interval, metadata }
  if (!check.Check(fields)) {
    const [error] = check.Errors(fields)
    const field = error.path.slice(1)
    throw new ConfigProblem(`${field}: expected ${expectations[field]}, got ${show(error.value)}`)
  }
  const given = fields as Static<typeof RelayControlSchema>
  const change: ControlChange = {}
  if (given.target_pid !== undefined) change.target = given.target_pid
  if (given.message_topic !== undefined) change.topic = given.message_topic ?? defaultTopic
  if (given.heartbeat_interval !== undefined) {
    change.heartbeat = given.heartbeat_interval === null ? 0 : toHeartbeat(given.heartbeat_interval)
  }
  if (given.metadata !== undefined) {
    change.metadata = given.metadata === null ? noMetadata : toMetadata(given.metadata, limits.maxMetadataSize)
  }
  return change
}

/**
 * Reads the value of `X-WS-Relay`: an object, the same as a JSON string, or a bare PID or name. What
 * an object holds counts as in JSON: an undefined field is absent. Never throws, whatever it is given.
 *
 * @param value what the handler set; it is not changed and may be changed afterwards
 */
export function parseConfig (value: unknown, limits: ConfigLimits): ConfigResult {
  try {
    const alone = bareTarget(value, limits)
    if (alone !== undefined) return { ok: true, config: { target: alone, topic: defaultTopic, heartbeat: 0, metadata: noMetadata } }
    const source = typeof value === 'string' ? fromText(value, limits) : fromObject(value, limits)
    const change = toChange(source, configCheck, limits)
    return { ok: true, config: { target: '', topic: defaultTopic, heartbeat: 0, metadata: noMetadata, ...change } }
  } catch (err) {
    return { ok: false, problem: ConfigProblem.textOf(err) }
  }
}

/**
 * Reads the payload of `ws.control`: an object, with the rules of {@link parseConfig} for its fields.
 * Never throws, whatever it is given.
 */
export function parseControl (value: unknown, limits: ConfigLimits): ControlResult {
  try {
    return { ok: true, change: toChange(fromObject(value, limits), controlCheck, limits) }
  } catch (err) {
    return { ok: false, problem: ConfigProblem.textOf(err) }
  }
}
