import type { Cancellable, Clock } from '../shared/clock.js'
import type { Entity } from './entity.js'
import type { ExitSignals } from './exits/exit-signals.js'
import type { Pid } from '../../types/pid.js'

/** The parts of the runtime that a shutdown uses. */
export interface ShutdownHost {
  readonly clock: Clock
  readonly supervisors: Set<Pid>
  readonly entities: Iterable<Entity>
  readonly aliveCount: number
  readonly exitSignals: ExitSignals
  cancel (to: Pid): boolean
}

/**
 * Ends all processes and connections, within `timeout` milliseconds:
 *
 * 1. Cancels the supervisors, which stop their children in reverse order.
 * 2. Once they have ended, or after half of the time, cancels all others, the youngest first.
 * 3. When the time is over, ends those that are still alive.
 */
export async function shutDown (host: ShutdownHost, timeout: number): Promise<void> {
  const half = startAlarm(host.clock, timeout / 2)
  const whole = startAlarm(host.clock, timeout)
  for (const pid of [...host.supervisors].reverse()) host.cancel(pid)
  await Promise.race([host.exitSignals.waitUntil(() => host.supervisors.size === 0), half.rung])
  half.stop()
  for (const entity of [...host.entities].reverse()) entity.cancel(undefined, 'shutdown')
  await Promise.race([host.exitSignals.waitUntil(() => host.aliveCount === 0), whole.rung])
  whole.stop()
  for (const entity of [...host.entities].reverse()) entity.end('shutdown')
}

function startAlarm (clock: Clock, ms: number): { rung: Promise<void>, stop (): void } {
  let timer: Cancellable
  const rung = new Promise<void>((resolve) => { timer = clock.after(ms, resolve) })
  return { rung, stop: () => { timer.cancel() } }
}
