import { toError } from '../errors.js'
import { published } from '../shared/contract.js'
import { withSpans } from '../shared/message-spans.js'
import { checkDrain } from './options.js'
import { statsOf } from './stats/stats.js'
import { startSupervisor } from './supervisor/supervisor.js'
import type { Plain } from '../shared/contract.js'
import type { Runtime } from './runtime.js'
import type { SystemHealth } from '../../types/info.js'
import type { DrainOptions } from '../../types/options.js'
import type { Processes, ProcessSystem } from '../../types/processes.js'

/** The runtime of each facade, for a dashboard. */
const runtimes = new WeakMap<object, Runtime>()

/** The runtime of `fastify.processes`; undefined for another object. */
export function runtimeOf (processes: object): Runtime | undefined {
  return runtimes.get(processes)
}

/** Makes `fastify.processes` from a runtime. The interface `Processes` documents it. */
export function processesFacade (runtime: Runtime): Processes {
  const processes = published<Processes>(Object.freeze(withSpans(runtime, membersOf(runtime))))
  runtimes.set(processes, runtime)
  return processes
}

/** As {@link processesFacade}, for `createProcesses`. */
export function processSystemFacade (
  runtime: Runtime,
  own: Pick<ProcessSystem, 'ready' | 'close'>
): ProcessSystem {
  const members = Object.assign(membersOf(runtime), own)
  const system = published<ProcessSystem>(Object.freeze(withSpans(runtime, members)))
  runtimes.set(system, runtime)
  return system
}

function membersOf (runtime: Runtime): Plain<Processes> {
  return {
    get cluster () { return runtime.clusterAccess.cluster },
    node: runtime.pids.node,
    names: runtime.names,
    groups: runtime.groups,
    spawn: (body, options) => runtime.spawner.spawn(body, options),
    send: (to, topic, payload) => runtime.messenger.send(to, topic, payload),
    call: (to, topic, payload, options) => runtime.messenger.call(to, topic, payload, options),
    exit: (to, reason) => runtime.exitRequests.exit(to, reason),
    cancel: (to, reason) => runtime.exitRequests.cancel(to, reason),
    keyed: (kind, spec) => runtime.kinds.define(kind, spec),
    supervise: (spec) => startSupervisor(runtime, spec),
    alive: (to) => runtime.processTable.findEntity(to) !== undefined,
    info: (to) => runtime.info(to),
    list: () => runtime.processTable.pids(),
    exited: (to, options) => runtime.exitRequests.exited(to, options?.signal ?? undefined),
    explain: (pid) => runtime.explainer.explain(pid),
    trace: (to, options, listener) => runtime.tracer.trace(to, options, listener),
    stats: () => statsOf(runtime),
    health: () => healthOf(runtime),
    drain: (options) => startDrain(runtime, options)
  }
}

export function healthOf ({ shutdown, drain, clusterAccess }: Runtime): SystemHealth {
  if (shutdown.closing || clusterAccess.refusesBinds) return { ready: false, problem: 'closing' }
  if (drain.hasStarted) return { ready: false, problem: 'draining' }
  if (clusterAccess.joining) return { ready: false, problem: 'starting' }
  return clusterAccess.cluster?.health() ?? { ready: true }
}

/** Each call returns the promise of the first one. */
function startDrain ({ drain }: Runtime, options: DrainOptions = {}): Promise<void> {
  try {
    return drain.start(checkDrain(options))
  } catch (err) {
    return Promise.reject(toError(err))
  }
}
