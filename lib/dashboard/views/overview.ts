import { statsOf } from '../../process/stats/stats.js'
import { healthOf } from '../../process/processes.js'
import { recentFailures } from './ends.js'
import type { KeyedStats, ProcessStats } from '../../../types/stats.js'
import type { OpenView, ViewHost } from './view.js'

export function openOverview ({ runtime, sampler }: ViewHost): OpenView {
  let shownUntil = 0
  return {
    async next () {
      const recent = await recentFailures({ runtime, sampler })
      const { exited, turns: { count, total }, keyed, ...stats } = statsOf(runtime)
      const points = sampler.history.since(shownUntil)
      shownUntil = points.at(-1)?.at ?? shownUntil
      return {
        health: healthOf(runtime),
        uptime: Math.round(process.uptime() * 1000),
        stats,
        keyed: sumOf(keyed),
        turns: { count, total },
        points,
        recent
      }
    }
  }
}

function sumOf (keyed: ProcessStats['keyed']): KeyedStats {
  const kinds = Object.values(keyed)
  const sum = (name: keyof KeyedStats): number => kinds.reduce((n, kind) => n + kind[name], 0)
  return {
    alive: sum('alive'), started: sum('started'), crashed: sum('crashed'), refused: sum('refused')
  }
}
