// Supervisors whose children fail, start and stop, on a manual clock: which children are restarted,
// in which order, and when a supervisor gives up.
import fc from 'fast-check'
import { buildRuntime, held } from '../../process/helpers.js'
import { ManualClock, ticks } from '../clock.js'
import { EventLog } from './event-log.js'
import { equal, suiteOf } from '../suite.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, Processes, Supervisor } from '../../../types/processes.js'

const period = 100
const ids = ['a', 'b', 'c', 'd'] as const
const id = fc.constantFrom(...ids)
const restart = fc.constantFrom('permanent' as const, 'transient' as const, 'temporary' as const)
const strategy = fc.constantFrom(
  'one_for_one' as const,
  'one_for_all' as const,
  'rest_for_one' as const
)
const reason = fc.constantFrom('normal', 'shutdown', 'boom', 'kill')

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('fails' as const), id, reason }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('start' as const), id, restart }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('stop' as const), id }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 80 }) })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('cancel' as const, 'exit' as const, 'kill' as const)
    })
  }
)
const history = fc.record({
  strategy,
  maxRestarts: fc.nat(4),
  children: fc.array(restart, { minLength: 1, maxLength: 3 }),
  steps: fc.array(step, { minLength: 1, maxLength: 25, size: 'max' })
})
type History = typeof history extends fc.Arbitrary<infer H> ? H : never
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

interface Child {
  id: string
  restart: 'permanent' | 'transient' | 'temporary'
  alive: boolean
  restarts: number
}

class Bench {
  readonly clock = new ManualClock()
  readonly runtime: Runtime
  readonly processes: Processes
  readonly #history: History
  supervisor!: Supervisor
  /** The events of children, in order: `+a` starts, `-a` ends. */
  readonly log: string[] = []
  /** The children in the model. */
  readonly expected: string[] = []
  children: Child[] = []
  #restarts: number[] = []
  /** The exit reason of the supervisor. */
  over: string | undefined

  constructor (history: History) {
    const { runtime, processes } = buildRuntime({ clock: this.clock })
    this.runtime = runtime
    this.processes = processes
    this.#history = history
  }

  start (): void {
    const { strategy, maxRestarts, children } = this.#history
    this.children = children.map((restart, i) => ({
      id: ids[i],
      restart,
      alive: true,
      restarts: 0
    }))
    this.supervisor = this.processes.supervise({
      strategy,
      maxRestarts,
      period,
      children: this.children.map(({ id, restart }) => ({ id, restart, start: this.#body(id) }))
    })
    for (const { id } of this.children) this.expected.push(`+${id}`)
  }

  #body (id: string) {
    return (self: Process) => {
      this.log.push(`+${id}`)
      this.runtime.exitSignals.monitor(self.pid, { targetEnded: () => { this.log.push(`-${id}`) } })
      return self.serve({}, () => {})
    }
  }

  do (step: Step): void {
    switch (step.do) {
      case 'fails': return this.#fails(step.id, step.reason)
      case 'start': return this.#start(step.id, step.restart)
      case 'stop': return this.#stop(step.id)
      case 'time': return this.clock.advance(step.ms)
      case 'cancel':
        this.processes.cancel(this.supervisor.pid)
        return this.#ends('shutdown')
      case 'exit':
        this.processes.exit(this.supervisor.pid, 'over')
        return this.#ends('over')
      case 'kill':
        this.processes.exit(this.supervisor.pid, 'kill')
        this.#ends('killed')
    }
  }

  pidOf (id: string): Pid | undefined {
    return this.supervisor.children().find((child) => child.id === id)?.pid
  }

  #fails (id: string, reason: string): void {
    const child = this.children.find((one) => one.id === id && one.alive)
    if (child === undefined || this.over !== undefined) return
    this.processes.exit(this.pidOf(id)!, reason)
    this.#ended(child)
    const isOrderly = reason === 'normal' || reason === 'shutdown'
    if (child.restart === 'temporary') this.#forget(child)
    else if (child.restart === 'permanent' || !isOrderly) this.#restart(child)
  }

  #restart (failed: Child): void {
    const { strategy, maxRestarts } = this.#history
    this.#restarts = [
      ...this.#restarts.filter((at) => this.clock.time - at < period),
      this.clock.time
    ]
    if (this.#restarts.length > maxRestarts) return this.#ends('restart_intensity')
    const at = this.children.indexOf(failed)
    const affected =
      strategy === 'one_for_one'
        ? [failed]
        : strategy === 'one_for_all'
          ? [...this.children]
          : this.children.slice(at)
    for (const child of [...affected].reverse()) if (child.alive) this.#ended(child)
    for (const child of affected) {
      if (child.restart === 'temporary') {
        this.#forget(child)
        continue
      }
      child.alive = true
      child.restarts++
      this.expected.push(`+${child.id}`)
    }
  }

  #ended (child: Child): void {
    child.alive = false
    this.expected.push(`-${child.id}`)
  }

  #forget (child: Child): void {
    this.children = this.children.filter((other) => other !== child)
  }

  /** The youngest first. */
  #ends (reason: string): void {
    if (this.over !== undefined) return
    this.over = reason
    for (const child of [...this.children].reverse()) if (child.alive) this.#ended(child)
    this.children = []
  }

  #start (id: string, restart: Child['restart']): void {
    const known = this.children.find((child) => child.id === id)
    try {
      this.supervisor.startChild({ id, restart, start: this.#body(id) })
    } catch (err) {
      equal(
        (err as { code: string }).code,
        this.over === undefined ? 'FST_PROCESS_INVALID_SPEC' : 'FST_PROCESS_NOT_ALIVE'
      )
      equal(
        this.over !== undefined || known?.alive === true,
        true,
        'a child that could not be started'
      )
      return
    }
    equal(this.over, undefined)
    equal(known?.alive ?? false, false, 'a child that was started twice')
    if (known !== undefined) this.#forget(known)
    this.children.push({ id, restart, alive: true, restarts: 0 })
    this.expected.push(`+${id}`)
  }

  #stop (id: string): void {
    const known = this.children.find((child) => child.id === id)
    this.supervisor.stopChild(id).then(
      () => {
        equal(known !== undefined, true)
      },
      (err: { code: string }) => {
        equal(err.code, 'FST_PROCESS_NOT_ALIVE')
        equal(known, undefined, 'a child that could not be stopped')
      }
    )
    if (known === undefined) return
    if (known.alive) this.#ended(known)
    this.#forget(known)
  }

  async rest (): Promise<void> {
    for (let idle = 0, laps = 0; idle < 3; laps++) {
      equal(laps < 1000, true, 'it comes to rest')
      await ticks()
      idle = !this.clock.busy ? idle + 1 : 0
      this.clock.run()
      this.clock.yieldOnce()
    }
  }

  compare (): void {
    equal(this.log.join(' '), this.expected.join(' '), 'beginnings and ends')
    equal(this.processes.alive(this.supervisor.pid), this.over === undefined, 'the supervisor')
    if (this.over !== undefined) return
    const seen = this.supervisor
      .children()
      .map(({ id, pid, restarts }) => `${id} ${pid !== undefined} ${restarts}`)
    equal(
      seen.join(),
      this.children.map(({ id, alive, restarts }) => `${id} ${alive} ${restarts}`).join(),
      'children'
    )
  }
}

/** Plays a history to the end of the supervisor. */
async function play (bench: Bench, history: History): Promise<void> {
  bench.start()
  const exits: string[] = []
  bench.runtime.exitSignals.monitor(bench.supervisor.pid, {
    targetEnded: ({ reason }) => {
      exits.push(reason)
    }
  })
  await bench.rest()
  bench.compare()
  for (const step of history.steps) {
    bench.do(step)
    await bench.rest()
    bench.compare()
  }
  if (bench.over === undefined) {
    bench.do({ do: 'cancel' })
    await bench.rest()
    bench.compare()
  }
  equal(exits.join(), bench.over, 'how the supervisor ended')
  const { alive, relations, names, groups } = held(bench.runtime)
  equal(alive + relations + names + groups + bench.runtime.supervisors.size, 0, 'what remains')
  equal(bench.clock.runningTimers, 0, 'timers that remain')
}

export const supervisors = suiteOf('supervisors', history, async (history) => {
  const log = new EventLog()
  const bench = new Bench(history)
  await log.during(() => play(bench, history))
  const times = (type: string): number => log.events.filter((event) => event.type === type).length
  equal(times('give-up'), bench.over === 'restart_intensity' ? 1 : 0, 'events of giving up')
  equal(times('restart'), bench.runtime.counters.restarts, 'events of restarts')
  equal(log.reasonOf(bench.supervisor.pid), bench.over, 'the exit event of the supervisor')
})
