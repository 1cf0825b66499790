import type { Runtime } from '../../process/runtime.js'
import type { Answer, View } from '../frames.js'
import type { Watch } from '../requests.js'
import type { Sampler } from '../sampler/sampler.js'

/** The node whose state is shown. */
export interface ViewHost {
  readonly runtime: Runtime
  readonly sampler: Sampler
}

/** The fields of an answer without those that all answers have. */
export type Body<A = Answer> = A extends Answer ? Omit<A, 'id' | 'view' | 'node' | 'at'> : never

/** One watch of one view, on the node that it shows. */
export interface OpenView {
  /** The next answer. Call it again when the one before is there. */
  next (): Promise<Body> | Body
  /** Call it once. */
  close? (): void
}

/** @throws a coded error, if the view cannot be shown */
export type OpensView = (host: ViewHost, watch: Watch) => OpenView

export type Views = Readonly<Record<View, OpensView>>
