// The ends that a node should remember, and why each of them came.
import type { EndCause } from '../../../types/explain.js'
import type { Pid } from '../../../types/pid.js'

const longestChain = 10

export interface ModelEnd {
  readonly pid: Pid
  readonly label: string
  readonly reason: string
  readonly cause: EndCause
  readonly because?: Pid
  readonly by?: Pid
}

interface Record {
  readonly key: string | undefined
  readonly ends: ModelEnd[]
  restartedAs?: Pid
}

export class EndModel {
  readonly #limit: number
  /** The oldest first. */
  #records: Record[] = []

  constructor (limit: number) {
    this.#limit = limit
  }

  add (end: ModelEnd): void {
    const { cause, because, by, label, reason } = end
    const isShared = cause !== 'failed' && cause !== 'sibling' && (because ?? by) !== undefined
    const key = isShared ? JSON.stringify([cause, because, by, label, reason]) : undefined
    const record = this.#records.find((one) => key !== undefined && one.key === key)
    if (record !== undefined) record.ends.push(end)
    else this.#records = [...this.#records, { key, ends: [end] }].slice(-this.#limit)
  }

  restarted (pid: Pid, as: Pid): void {
    const record = this.#records.find(({ ends }) => ends[0].pid === pid)
    if (record !== undefined) record.restartedAs = as
  }

  #find (pid: Pid | undefined): ModelEnd | undefined {
    return this.#records.flatMap(({ ends }) => ends).find((end) => end.pid === pid)
  }

  /** The end of a process, and those that led to it. */
  chainOf (pid: Pid): ModelEnd[] {
    const chain: ModelEnd[] = []
    let end = this.#find(pid)
    while (end !== undefined && chain.length < longestChain) {
      chain.push(end)
      end = this.#find(end.because)
    }
    return chain
  }

  /** Ends that come from the same root as that of a process. */
  together (pid: Pid): number {
    const last = this.chainOf(pid).at(-1)!
    const root = last.because ?? last.pid
    const comesFromRoot = (end: ModelEnd | undefined): boolean => {
      return end?.because !== undefined &&
        (end.because === root || comesFromRoot(this.#find(end.because)))
    }
    return this.#records.flatMap(({ ends }) => ends).filter(comesFromRoot).length
  }

  restartedAs (pid: Pid): Pid | undefined {
    for (const end of this.chainOf(pid)) {
      const record = this.#records.find(({ ends }) => ends[0].pid === end.pid)
      if (record?.restartedAs !== undefined) return record.restartedAs
    }
    return undefined
  }
}
