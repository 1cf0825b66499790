import { checkAddress, isPid } from '../pid.js'
import { countOf, uptimeOf } from './end-log.js'
import { explanationOf, longestChain, withoutChain } from './findings.js'
import { aliveText, forgottenText } from './sentence.js'
import type { Clock } from '../../shared/clock.js'
import type { PidFactory } from '../pid.js'
import type { EndRecord } from './end-log.js'
import type { Ends } from './ends.js'
import type { Findings } from './findings.js'
import type { Together } from './sentence.js'
import type { End, Explanation } from '../../../types/explain.js'
import type { ProcessInfo } from '../../../types/info.js'
import type { Pid } from '../../../types/pid.js'

/** The parts of the runtime that an explanation is made of. */
export interface ExplainerHost {
  readonly clock: Pick<Clock, 'now'>
  readonly pids: PidFactory
  readonly ends: Ends
  info (to: string): ProcessInfo | undefined
}

/** An end that is remembered, and how many ends of the same cause it stands for. */
export interface DescribedEnd {
  readonly end: End
  readonly count: number
}

/** Explains the ends of the processes and connections of this node. */
export class Explainer {
  readonly #host: ExplainerHost

  constructor (host: ExplainerHost) {
    this.#host = host
  }

  /**
   * @returns undefined for a PID of another node, one that was never given, and other strings
   * @throws `FST_PROCESS_INVALID_PID` for anything but a string
   */
  explain (to: string): Explanation | undefined {
    checkAddress(to)
    const findings = this.findingsOf(to)
    return findings && explanationOf(findings)
  }

  /** @returns undefined as `explain` */
  findingsOf (to: string): Findings | undefined {
    const { pids } = this.#host
    if (!isPid(to) || !pids.hasMade(to)) return undefined
    const info = this.#host.info(to)
    if (info !== undefined) return withoutChain(to, 'alive', aliveText(info))
    const chain = this.#chainOf(to)
    if (chain.length === 0) return withoutChain(to, 'forgotten', forgottenText(to))
    const { because, pid } = chain.at(-1)!
    const isCut = chain.length === longestChain
    const isForgotten = !isCut && because !== undefined && pids.hasMade(because)
    return {
      pid: to,
      state: 'ended',
      text: '',
      chain,
      ...this.#endsBecauseOf(because ?? pid),
      ...isForgotten && { missing: 'forgotten' }
    }
  }

  /**
   * The first end of each record, the oldest first. The caller may pause between two of them: an
   * end whose record was used again meanwhile is left out.
   */
  * describeEnds (): Generator<DescribedEnd, void> {
    const { records } = this.#host.ends
    const pids = records.map(({ pid }) => pid)
    for (const [i, record] of records.entries()) {
      if (record.pid === pids[i]) yield this.describe(record)
    }
  }

  /** The first end of a record. */
  describe (record: EndRecord): DescribedEnd {
    return { end: this.#endOf(record, record.pid), count: countOf(record) }
  }

  #chainOf (pid: Pid): End[] {
    const chain: End[] = []
    let next: Pid | undefined = pid
    while (next !== undefined && chain.length < longestChain) {
      const record = this.#host.ends.find(next)
      if (record === undefined) break
      chain.push(this.#endOf(record, next))
      next = record.because
    }
    return chain
  }

  #endOf (record: EndRecord, pid: Pid): End {
    const { successor } = record
    const isFirst = pid === record.pid
    const ago = this.#host.clock.now() - record.time
    return {
      pid,
      kind: record.kind,
      label: record.label,
      ...isFirst && record.name !== undefined && { name: record.name },
      at: Math.round(Date.now() - ago),
      ago,
      uptime: uptimeOf(record, pid)!,
      reason: record.reason,
      cause: record.cause,
      ...record.because !== undefined && { because: record.because },
      ...record.by !== undefined && { by: record.by },
      ...record.error && { error: record.error },
      ...record.closing && { closing: true },
      ...record.code !== undefined && { code: record.code },
      ...record.closeReason !== undefined && { closeReason: record.closeReason },
      ...record.target !== undefined && { target: record.target },
      ...isFirst && record.away !== undefined && { away: record.away },
      ...isFirst && successor !== undefined && {
        restartedAs: successor.pid, restartedAfter: successor.time - record.time
      }
    }
  }

  /** Counts the ends that the end of a process has led to, directly and through others. */
  #endsBecauseOf (root: Pid): Together {
    const counts = { connections: 0, processes: 0 }
    /** Whether the end of a process comes from that of the root. */
    const known = new Map<Pid | undefined, boolean>([[root, true], [undefined, false]])
    for (const record of this.#host.ends.records) {
      const { because, kind } = record
      if (!known.has(because)) known.set(because, this.#comesFrom(root, because))
      if (known.get(because)) counts[kind === 'ws' ? 'connections' : 'processes'] += countOf(record)
    }
    return counts
  }

  /** It ends, because each end was before the one that it led to. */
  #comesFrom (root: Pid, pid: Pid | undefined): boolean {
    let next = pid
    while (next !== undefined && next !== root) next = this.#host.ends.find(next)?.because
    return next !== undefined
  }
}
