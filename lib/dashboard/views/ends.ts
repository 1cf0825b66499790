import { Top } from '../sampler/top.js'
import { longestChain } from '../../process/explain/findings.js'
import { endedText } from '../../process/explain/sentence.js'
import { contains, fit, summaryOf } from './rows.js'
import type { DescribedEnd } from '../../process/explain/explainer.js'
import type { Together } from '../../process/explain/sentence.js'
import type { End } from '../../../types/explain.js'
import type { Pid } from '../../../types/pid.js'
import type { EndRow } from '../frames.js'
import type { Watch } from '../requests.js'
import type { OpenView, ViewHost } from './view.js'

/** Ends of processes that are no news, unless they have a reason of the application. */
const orderly = new Set<End['cause']>(['returned', 'stopped', 'cancel', 'supervisor', 'exit'])
const maxRecent = 8

const isNewer = (one: DescribedEnd, other: DescribedEnd): boolean => one.end.ago < other.end.ago
const none: Together = { connections: 0, processes: 0 }

/** The ends that this node remembers, with their relations to each other. */
class EndIndex {
  readonly #ends = new Map<Pid, End>()
  /** The ends that the end of a process has led to, directly. */
  readonly #effects = new Map<Pid, { connections: number, processes: number }>()

  add ({ end, count }: DescribedEnd): void {
    const { pid, because, kind } = end
    this.#ends.set(pid, end)
    if (because === undefined) return
    let effects = this.#effects.get(because)
    if (effects === undefined) this.#effects.set(because, effects = { ...none })
    effects[kind === 'ws' ? 'connections' : 'processes'] += count
  }

  rowOf ({ end, count }: DescribedEnd): EndRow {
    const chain = [end]
    let cause = this.#causeOf(end)
    while (cause !== undefined && chain.length < longestChain) {
      chain.push(cause)
      cause = this.#causeOf(cause)
    }
    const last = chain.at(-1)!
    const text = endedText(chain, this.#effectsOf(last.because ?? last.pid))
    const { connections, processes } = this.#effectsOf(end.pid)
    return { ...summaryOf(end), count, together: connections + processes, text }
  }

  #causeOf ({ because }: End): End | undefined {
    return because === undefined ? undefined : this.#ends.get(because)
  }

  #effectsOf (pid: Pid): Together {
    return this.#effects.get(pid) ?? none
  }
}

export function openEnds (host: ViewHost, { filter, cause, limit }: Watch): OpenView {
  return {
    async next () {
      let total = 0
      let matched = 0
      const top = new Top(limit, isNewer)
      const index = await visitEnds(host, (described) => {
        total++
        const { pid, label, name, reason, target } = described.end
        if (cause !== undefined && described.end.cause !== cause) return
        if (!contains(filter, [pid, label, name, reason, target])) return
        matched++
        top.offer(described)
      })
      return { total, matched, rows: fit(top.inOrder().map((end) => index.rowOf(end))) }
    }
  }
}

/** The last abnormal ends of processes. */
export async function recentFailures (host: ViewHost): Promise<EndRow[]> {
  const top = new Top(maxRecent, isNewer)
  const index = await visitEnds(host, (described) => {
    if (isNews(described.end)) top.offer(described)
  })
  return top.inOrder().map((end) => index.rowOf(end))
}

function isNews ({ kind, cause, reason, closing }: End): boolean {
  if (kind === 'ws' || closing === true) return false
  return !orderly.has(cause) || (reason !== 'normal' && reason !== 'shutdown')
}

async function visitEnds (
  { runtime, sampler }: ViewHost, visit: (end: DescribedEnd) => void
): Promise<EndIndex> {
  const { explainer } = runtime
  const index = new EndIndex()
  function * steps (): Iterator<undefined> {
    for (const described of explainer.describeEnds()) {
      index.add(described)
      visit(described)
      yield
    }
  }
  await sampler.run(steps())
  return index
}
