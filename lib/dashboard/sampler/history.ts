import { monitorEventLoopDelay } from 'node:perf_hooks'
import { historyTime } from '../frames.js'
import { statsOf } from '../../process/stats/stats.js'
import type { IntervalHistogram } from 'node:perf_hooks'
import type { ClockTimer } from '../../shared/clock.js'
import type { Runtime } from '../../process/runtime.js'
import type { ProcessStats } from '../../../types/stats.js'
import type { Point } from '../frames.js'

/** Milliseconds between two points. */
const interval = 1000
/** Milliseconds between two measurements of the event loop. */
const resolution = 20

/** The fields of a point that are rates. */
type Rate = 'messagesIn' | 'messagesOut' | 'sent' | 'refused' | 'deadLetters' | 'refusedUpgrades' |
  'turns'

/** The counters whose growth is shown, and when they were read. */
type Totals = Readonly<Record<Rate | 'time' | 'turnTime', number>>

/** One point for each second. Points are recorded between `start` and `stop` only. */
export class History {
  readonly #runtime: Runtime
  #points: Point[] = []
  #last: Totals
  #timer: ClockTimer | undefined
  #delay: IntervalHistogram | undefined

  constructor (runtime: Runtime) {
    this.#runtime = runtime
    this.#last = totalsOf(runtime.clock.now(), statsOf(runtime))
  }

  start (): void {
    this.#delay = monitorEventLoopDelay({ resolution })
    this.#delay.enable()
    this.#last = totalsOf(this.#runtime.clock.now(), statsOf(this.#runtime))
    this.#wait()
  }

  stop (): void {
    this.#timer?.cancel()
    this.#delay?.disable()
    this.#timer = this.#delay = undefined
  }

  /** The points of the last 5 minutes that are newer than a time. */
  since (time: number): Point[] {
    return this.#points.filter(({ at }) => at > time)
  }

  #wait (): void {
    this.#timer = this.#runtime.contextClock.after(interval, () => {
      this.#record()
      this.#wait()
    })
  }

  #record (): void {
    const stats = statsOf(this.#runtime)
    const at = Date.now()
    const totals = totalsOf(this.#runtime.clock.now(), stats)
    const point = pointOf(stats, this.#last, totals, at, this.#delay!)
    this.#delay!.reset()
    this.#last = totals
    this.#points = [...this.since(at - historyTime), point]
  }
}

function totalsOf (time: number, { connections, upgrades, turns, ...stats }: ProcessStats): Totals {
  const refusedUpgrades = Object.values(upgrades.refused).reduce((sum, times) => sum + times, 0)
  const { messagesIn, messagesOut } = connections
  const { sent, refused, deadLetters } = stats
  return {
    time,
    messagesIn,
    messagesOut,
    sent,
    refused,
    deadLetters,
    refusedUpgrades,
    turns: turns.count,
    turnTime: turns.total
  }
}

function pointOf (
  { aliveBy, connections }: ProcessStats, last: Totals, now: Totals, at: number,
  delay: IntervalHistogram
): Point {
  const time = now.time - last.time
  const perSecond = (name: Rate): number => round((now[name] - last[name]) * 1000 / time)
  const { open, suspended, paused, parked } = connections
  return {
    at,
    open,
    suspended,
    paused,
    parked,
    processes: aliveBy.process + aliveBy.supervisor,
    messagesIn: perSecond('messagesIn'),
    messagesOut: perSecond('messagesOut'),
    sent: perSecond('sent'),
    refused: perSecond('refused'),
    deadLetters: perSecond('deadLetters'),
    refusedUpgrades: perSecond('refusedUpgrades'),
    turns: perSecond('turns'),
    busy: Math.min(1, round((now.turnTime - last.turnTime) / time)),
    delay: delayOf(delay.mean),
    maxDelay: delayOf(delay.max),
    rss: process.memoryUsage.rss()
  }
}

/** A measurement contains the time between two of them. It is NaN if there was none. */
function delayOf (nanoseconds: number): number {
  const ms = nanoseconds / 1e6 - resolution
  return ms > 0 ? round(ms) : 0
}

function round (value: number): number {
  return Math.round(value * 1000) / 1000
}
