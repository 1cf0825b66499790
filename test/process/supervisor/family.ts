// Children that log their starts and ends, and their supervisor.
import { settle } from '../helpers.js'
import type { Pid } from '../../../types/pid.js'
import type {
  ChildSpec, Process, ProcessSystem, Supervisor, SupervisorSpec
} from '../../../types/processes.js'

/** Children that log their start (`+id`) and their `@cancel` (`-id`). */
export function family (
): {
  log: string[],
  child (id: string, options?: Partial<ChildSpec>
  ): ChildSpec
} {
  const log: string[] = []
  const body = async (self: Process, id: string): Promise<void> => {
    log.push(`+${id}`)
    for await (const { topic } of self.inbox) if (topic === '@cancel') log.push(`-${id}`)
  }
  return { log, child: (id, options) => ({ id, start: body, args: [id], ...options } as ChildSpec) }
}

export const pidOf = (supervisor: Supervisor, id: string): Pid =>
  supervisor.children().find((child) => child.id === id)?.pid ?? ('0' as Pid)

/** Waits until a child has been restarted. */
export async function restarted (supervisor: Supervisor, id: string, before: Pid): Promise<Pid> {
  for (let lap = 0; lap < 10_000; lap++) {
    if (![before, '0'].includes(pidOf(supervisor, id))) return pidOf(supervisor, id)
    await new Promise(setImmediate)
  }
  throw new Error(`'${id}' was not restarted`)
}

export async function supervise (
  processes: ProcessSystem, spec: SupervisorSpec
): Promise<Supervisor> {
  const supervisor = processes.supervise(spec)
  await settle()
  return supervisor
}
