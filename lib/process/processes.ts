import type { Runtime } from './runtime.js'
import type { CallOptions, ProcessBody, Processes, ProcessStats, SpawnOptions, SupervisorSpec } from '../../types/processes.js'

/** The public face of a runtime: `fastify.processes`. The typed surface, with the docs, is `Processes`. */
export function processesFacade<E extends object = object> (runtime: Runtime, more?: E): Processes & E {
  const facade = {
    get cluster () { return runtime.cluster },
    node: runtime.pids.node,
    names: runtime.names,
    groups: runtime.groups,
    spawn: (body: ProcessBody, options?: SpawnOptions) => runtime.spawn(body, options),
    send: (to: string, topic: string, payload?: unknown) => runtime.messenger.send(to, topic, payload),
    call: (to: string, topic: string, payload?: unknown, options?: CallOptions) => runtime.messenger.call(to, topic, payload, options),
    exit: (to: string, reason?: string) => runtime.exit(to, reason),
    cancel: (to: string, reason?: string) => runtime.cancel(to, reason),
    supervise: (spec: SupervisorSpec) => runtime.supervise(spec),
    alive: (to: string) => runtime.findEntity(to) !== undefined,
    info: (to: string) => runtime.info(to),
    list: () => runtime.list(),
    exited: (to: string, options?: { signal?: AbortSignal }) => runtime.exited(to, options?.signal ?? undefined),
    stats: () => statsOf(runtime),
    ...more
  } satisfies Record<keyof Processes, unknown>
  // What a PID's topics are is known to its type alone.
  return Object.freeze(facade) as unknown as Processes & E
}

function statsOf ({ aliveCount: alive, counters, scheduler }: Runtime): ProcessStats {
  const { spawned, exited, sent, delivered, deadLetters, refused } = counters
  return { alive, spawned, exited, sent, delivered, deadLetters, refused, longestTurn: scheduler.longestTurn }
}
