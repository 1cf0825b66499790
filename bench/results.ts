import type { Comparison } from './compare.js'
import type { Flood, Stalls } from './events.js'
import type { Growth } from './growth.js'
import type { Timed } from './process/timing.js'
import type { Machine } from './rig/machine.js'

/** KiB of a process that waits for messages, or of waiting code in the JavaScript engine alone. */
export interface Sleeping {
  count: number
  what: string
  engine: boolean
  heap: number
  rss: number
}

/** All measurements of a run. Parts that were not requested are absent. */
export interface Results {
  machine: Machine
  rounds: number
  comparisons?: Comparison[]
  timings?: Record<string, Timed[]>
  sleeping?: Sleeping[]
  stalls?: Stalls
  floods?: Flood[]
  growth?: Growth[]
}
