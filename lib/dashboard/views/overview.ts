import { statsOf } from '../../process/stats/stats.js'
import { healthOf } from '../../process/processes.js'
import { recentFailures } from './ends.js'
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
        turns: { count, total },
        points,
        recent
      }
    }
  }
}
