import { errorCodes, show } from '../errors.js'
import type { ClusterEngine } from '../../types/cluster.js'
import type { ProcessesOptions } from '../../types/processes.js'

const { FST_PROCESS_INVALID_OPTIONS } = errorCodes

/** What `createProcesses` takes where nothing is given; the plugin has the same defaults. */
export const processesDefaults = {
  node: 'local',
  mailboxLimit: 10_000,
  mailboxBytes: 16 * 1024 * 1024,
  closeTimeout: '5s'
} as const satisfies ProcessesOptions

/** What the option `cluster` takes. */
export const expectedEngine = "an engine, as made by 'fastify-ws-relay/nats' or '/redis'"

const rules: Record<string, [expected: string, valid: (value: unknown) => boolean]> = {
  node: ['1 to 64 characters of A-Z, a-z, 0-9, _ and -', (value) => typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value)],
  mailboxLimit: ['a positive integer', isPositiveInteger],
  mailboxBytes: ['a positive integer', isPositiveInteger],
  closeTimeout: ['a duration', () => true],
  logger: ["a logger of pino's shape", isLogger],
  cluster: [expectedEngine, isEngine]
}

const logMethods = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'child']

/** All nodes would have the default name. */
export const namelessNode = "'cluster' needs 'node', too: a name that no other node of the cluster has"

/** @throws `FST_PROCESS_INVALID_OPTIONS`, for an unknown option, too */
export function checkProcessesOptions (options: ProcessesOptions): void {
  if (typeof options !== 'object' || options === null) throw new FST_PROCESS_INVALID_OPTIONS(`expected an object, got '${show(options)}'`)
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (rule === undefined) throw new FST_PROCESS_INVALID_OPTIONS(`there is no option '${show(name)}', only ${Object.keys(rules).join(', ')}`)
    const [expected, valid] = rule
    if (value !== undefined && !valid(value)) throw new FST_PROCESS_INVALID_OPTIONS(`'${name}' must be ${expected}, got '${show(value)}'`)
  }
  if (options.cluster !== undefined && options.node === undefined) throw new FST_PROCESS_INVALID_OPTIONS(namelessNode)
}

/** Whether a value can be the option `cluster`. */
export function isEngine (value: unknown): value is ClusterEngine {
  if (typeof value !== 'object' || value === null) return false
  const { transport, prefix } = value as Partial<ClusterEngine>
  return typeof prefix === 'string' && typeof (transport as { publish?: unknown } | undefined)?.publish === 'function'
}

function isLogger (value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return logMethods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function')
}

function isPositiveInteger (value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0
}
