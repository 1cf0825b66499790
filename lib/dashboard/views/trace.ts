import { summaryOf } from '../../process/explain/error-summary.js'
import { cut, fit, refer } from './rows.js'
import type { Runtime } from '../../process/runtime.js'
import type { Pid } from '../../../types/pid.js'
import type { TraceEvent } from '../../../types/trace.js'
import type { TraceRow } from '../frames.js'
import type { Watch } from '../requests.js'
import type { OpenView, ViewHost } from './view.js'

/** The trace of one watch stops by itself after so many events. */
const maxTraced = 100_000

/**
 * Shows one process live. Payloads are never shown, because they may contain metadata.
 * @throws `FST_PROCESS_NOT_ALIVE`, `FST_PROCESS_INVALID_PID`
 */
export function openTrace ({ runtime }: ViewHost, { pid: to, limit }: Watch): OpenView {
  let events: TraceRow[] = []
  let dropped = 0
  let traced = 0
  let ended = false
  let pid = to as Pid
  const trace = runtime.tracer.trace(to, { max: maxTraced }, (event) => {
    pid = event.pid
    ended = event.type === 'ended' || ++traced === maxTraced
    if (events.length >= limit && !ended) dropped++
    else events.push(rowOf(runtime, event))
  })
  return {
    next () {
      const answer = { pid, events: fit(events), dropped, ended }
      events = []
      dropped = 0
      return answer
    },
    close () { trace.stop() }
  }
}

function rowOf (runtime: Runtime, event: TraceEvent): TraceRow {
  const { type, at } = event
  const common = { type, at, ...'topic' in event && { topic: event.topic } }
  const from = 'from' in event && event.from !== undefined && { from: refer(runtime, event.from) }
  switch (event.type) {
    case 'received': return { ...common, ...from, mailbox: event.mailbox }
    case 'refused': return { ...common, ...from }
    case 'taken': return { ...common, ...from, waited: event.waited }
    case 'sent': return { ...common, to: refer(runtime, event.to as Pid), accepted: event.accepted }
    case 'client': return { ...common, bytes: event.bytes, binary: event.binary }
    case 'ended': return { ...common, reason: cut(event.reason), ...errorOf(event.error) }
  }
}

function errorOf (error: Error | undefined): Pick<TraceRow, 'error'> {
  if (error === undefined) return {}
  const { name, message } = summaryOf(error)
  return { error: { name: cut(name), message: cut(message) } }
}
