import { Type } from '@sinclair/typebox'
import { errorCodes, show } from '../errors.js'
import { toMilliseconds } from '../shared/duration.js'
import { defaultsOf, duration, flag, integer, optionsCheck } from '../shared/options.js'
import type { Option } from '../shared/options.js'
import type { DrainTerms } from './drain.js'
import type { DrainOptions, ProcessesOptions } from '../../types/options.js'
import type { TraceOptions } from '../../types/trace.js'

const MiB = 1024 * 1024
const day = 24 * 60 * 60 * 1000
const { FST_PROCESS_INVALID_OPTIONS } = errorCodes

const method = Type.Function([], Type.Unknown())
const loggerSchema = Type.Object({
  trace: method,
  debug: method,
  info: method,
  warn: method,
  error: method,
  fatal: method,
  child: method
})
const engineSchema = Type.Object({
  prefix: Type.String(),
  transport: Type.Object({ publish: method })
})

/** Options that `createProcesses` and the plugin share. */
export const sharedOptions = {
  node: {
    schema: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }),
    default: 'local',
    expected: '1 to 64 characters of A-Z, a-z, 0-9, _ and -'
  },
  mailboxLimit: integer(10_000, 'messages'),
  mailboxBytes: integer(16 * MiB, 'bytes'),
  closeTimeout: duration('5s'),
  keepEnds: integer(512, 'ends', 0, 100_000),
  cluster: {
    schema: engineSchema,
    default: undefined,
    expected: "an engine, as made by 'fastify-ws-relay/nats' or '/redis'"
  }
} satisfies Partial<Record<keyof ProcessesOptions, Option>>

/** The options of `createProcesses`. */
export const processesOptions = {
  ...sharedOptions,
  logger: { schema: loggerSchema, default: undefined, expected: "a logger of pino's shape" }
} satisfies Record<keyof ProcessesOptions, Option>

export const processesDefaults = defaultsOf(processesOptions)

/** All nodes of a cluster would have the default name. */
export const namelessNode =
  "'cluster' needs 'node', too: a name that no other node of the cluster has"

const check = optionsCheck(
  processesOptions,
  (problem, cause) => cause ?? new FST_PROCESS_INVALID_OPTIONS(problem)
)

/**
 * @throws `FST_PROCESS_INVALID_OPTIONS`, also for an unknown option, and
 * `FST_PROCESS_INVALID_DURATION`
 */
export function checkProcessesOptions (options: ProcessesOptions): void {
  check(options)
  if (options.cluster !== undefined && options.node === undefined) {
    throw new FST_PROCESS_INVALID_OPTIONS(namelessNode)
  }
}

/** The options of `drain`. A timer of Node must be able to wait for their sum. */
export const drainOptions = {
  over: duration('30s', 0, undefined, day),
  delay: duration('0s', 0, undefined, day)
} satisfies Record<keyof DrainOptions, Option>

/**
 * Compiles the check at each call, because a system is drained once.
 * @throws `FST_PROCESS_INVALID_OPTIONS`, `FST_PROCESS_INVALID_DURATION`
 */
export function checkDrain (options: DrainOptions): DrainTerms {
  optionsCheck(
    drainOptions,
    (problem, cause) => cause ?? new FST_PROCESS_INVALID_OPTIONS(problem),
    { owner: 'a drain' }
  )(options)
  const { over = drainOptions.over.default, delay = drainOptions.delay.default } = options
  return { over: toMilliseconds(over), delay: toMilliseconds(delay) }
}

/** The options of `trace`. */
export const traceOptions = {
  payloads: flag(false as boolean),
  max: integer(1000 as number, 'events', 1, 1_000_000)
} satisfies Record<keyof TraceOptions, Option>

/**
 * Compiles the check at each call, because few traces are made.
 * @throws `FST_PROCESS_INVALID_OPTIONS`
 */
export function checkTrace (options: TraceOptions, listener: unknown): Required<TraceOptions> {
  const invalid = (problem: string): Error => new FST_PROCESS_INVALID_OPTIONS(problem)
  optionsCheck(traceOptions, invalid, { owner: 'a trace' })(options)
  if (typeof listener !== 'function') {
    throw invalid(`expected a function as the listener of a trace, got '${show(listener)}'`)
  }
  const { payloads = traceOptions.payloads.default, max = traceOptions.max.default } = options
  return { payloads, max }
}

/** Names and PIDs are checked when they are resolved. @throws `FST_PROCESS_INVALID_SPEC` */
export function checkSpawn (body: unknown, options: unknown): void {
  checkSpawnOption(typeof body === 'function', 'a function as the body', body)
  const isObject = typeof options === 'object' && options !== null
  checkSpawnOption(isObject, 'an object of options', options)
  const { args, mailboxLimit, trapLinks } = options as Record<string, unknown>
  checkSpawnOption(args === undefined || Array.isArray(args), "an array as 'args'", args)
  const isLimit = Number.isSafeInteger(mailboxLimit) && mailboxLimit as number > 0
  const isValid = mailboxLimit === undefined || isLimit
  checkSpawnOption(isValid, "a positive integer as 'mailboxLimit'", mailboxLimit)
  const isFlag = trapLinks === undefined || typeof trapLinks === 'boolean'
  checkSpawnOption(isFlag, "a boolean as 'trapLinks'", trapLinks)
}

function checkSpawnOption (valid: boolean, expected: string, value: unknown): void {
  if (valid) return
  throw new errorCodes.FST_PROCESS_INVALID_SPEC(`expected ${expected}, got '${show(value)}'`)
}
