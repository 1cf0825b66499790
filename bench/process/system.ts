import { createProcesses } from '../../lib/process/index.js'
import type { Pid, Process, ProcessBody } from '../../lib/process/index.js'

export const processes = createProcesses({ mailboxLimit: 1_000_000 })

/** Resolves in a later iteration of the event loop. */
export function turn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}

/** A counter with a promise for a target value. */
export class Tally {
  #left = 0
  #done: () => void = () => {}

  /** Resolves after `count` more. */
  after (count: number): Promise<void> {
    this.#left = count
    return new Promise((resolve) => { this.#done = resolve })
  }

  /** @returns whether the target is not reached yet */
  one (): boolean {
    if (--this.#left === 0) this.#done()
    return this.#left > 0
  }
}

/** A process that only waits, and its `self`. */
export async function sleeper (
  body: (self: Process) => unknown = (self) => self.serve({})
): Promise<{ self: Process, pid: Pid }> {
  const self = await new Promise<Process>((resolve) => {
    processes.spawn((self) => {
      resolve(self)
      return body(self)
    })
  })
  await turn()
  return { self, pid: self.pid }
}

/** The PIDs of `count` waiting processes with the same body. */
export async function crowd (count: number, body: ProcessBody<any>): Promise<Pid[]> {
  const pids = Array.from({ length: count }, () => processes.spawn(body))
  while (!pids.every((pid) => processes.info(pid)?.status === 'waiting')) await turn()
  return pids
}
