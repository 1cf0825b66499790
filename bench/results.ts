import type { Comparison } from './compare.js'
import type { Flood, Stalls } from './events.js'
import type { Growth } from './growth.js'
import type { Timed } from './process/timing.js'
import type { Machine } from './rig/machine.js'

/** KiB of a process that waits for mail, or of what the engine alone holds for code that waits. */
export interface Sleeping {
  count: number
  what: string
  engine: boolean
  heap: number
  rss: number
}

/** Everything a run has measured; what was not asked for is not there. */
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
