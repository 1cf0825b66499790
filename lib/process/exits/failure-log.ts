import type { NameTable } from '../registry/names.js'
import type { ProcessTable } from '../registry/process-table.js'
import type { Pid } from '../../../types/pid.js'
import type { Logger } from '../../../types/options.js'

/** Logs the errors of processes. */
export class FailureLog {
  readonly #logger: Logger
  readonly #processes: ProcessTable
  readonly #names: NameTable

  constructor (logger: Logger, processes: ProcessTable, names: NameTable) {
    this.#logger = logger
    this.#processes = processes
    this.#names = names
  }

  /** Logs an error of a process, with its label and names while it is alive. */
  logFailure (pid: Pid, err: unknown, text: string): void {
    try {
      this.#logger.error({ ...this.#fieldsOf(pid), err }, text)
    } catch {
      // A logger that throws must not keep other processes from their exit signals.
    }
  }

  #fieldsOf (pid: Pid): object {
    const label = this.#processes.getEntity(pid)?.describe().label
    const names = this.#names.namesOf(pid)
    return {
      relayPid: pid,
      ...label && { relayLabel: label },
      ...names.length > 0 && { relayNames: names }
    }
  }
}
