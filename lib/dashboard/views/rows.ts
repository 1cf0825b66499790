import { maxText } from '../frames.js'
import type { Runtime } from '../../process/runtime.js'
import type { End } from '../../../types/explain.js'
import type { Pid } from '../../../types/pid.js'
import type { EndSummary, Reference } from '../frames.js'

/** Bytes of all rows of one answer, as JSON. */
export const maxRowBytes = 256 * 1024

/** Texts of applications may be long. */
export function cut (text: string): string {
  return text.length > maxText ? `${text.slice(0, maxText)}…` : text
}

/** The first rows, up to {@link maxRowBytes}. */
export function fit<R> (rows: readonly R[]): R[] {
  let bytes = 0
  return rows.filter((row) => {
    bytes += Buffer.byteLength(JSON.stringify(row))
    return bytes <= maxRowBytes
  })
}

/** A PID with the name and the label of its process, if that is alive on this node. */
export function refer (runtime: Runtime, pid: Pid): Reference {
  const entity = runtime.processTable.getEntity(pid)
  if (entity === undefined) return { pid: cut(pid) as Pid }
  const name = runtime.nameTable.firstNameOf(pid)
  return { pid, label: cut(entity.describe().label), ...name !== undefined && { name: cut(name) } }
}

export function summaryOf (end: End): EndSummary {
  const { error, name, closeReason, ...rest } = end
  return {
    ...rest,
    label: cut(end.label),
    reason: cut(end.reason),
    ...name !== undefined && { name: cut(name) },
    ...closeReason !== undefined && { closeReason: cut(closeReason) },
    ...error !== undefined && {
      error: {
        name: cut(error.name),
        message: cut(error.message),
        ...error.frames.length > 0 && { frame: cut(error.frames[0]) }
      }
    }
  }
}

/** Whether one of the texts contains the filter. An empty filter is in each text. */
export function contains (filter: string, texts: ReadonlyArray<string | undefined>): boolean {
  return filter === '' ||
    texts.some((text) => text !== undefined && text.toLowerCase().includes(filter))
}
