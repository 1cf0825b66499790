// Processes that keep the calls they get, so that a history answers them, and their timers.
import { buildRuntime } from '../../process/helpers.js'
import { ManualClock, ticks } from '../clock.js'
import { equal } from '../suite.js'
import { callees } from './call-steps.js'
import type { AnyMessage } from '../../process/helpers.js'
import type { ExitListener } from '../../../lib/process/exits/relations.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { Process, Processes } from '../../../types/processes.js'
import type { Timer } from '../../../types/options.js'
import type { Pid } from '../../../types/pid.js'
import type { Step } from './call-steps.js'

/** Events that settle a call. The first one counts. */
interface CallModel {
  readonly from: number | undefined
  readonly to: number
  readonly number: number
  readonly dueAt: number
  readonly signal: AbortSignal | undefined
  expected: string | undefined
  readonly settled: string[]
}

/** A process that keeps its calls, so that the history answers them. */
export interface Callee {
  readonly pid: Pid
  self: Process | undefined
  ended: boolean
  stopping: boolean
  readonly mail: AnyMessage[]
  /** The messages of its timers. */
  ticks: number
  readonly watcher: ExitListener
}

export class CallBench {
  readonly clock = new ManualClock()
  readonly runtime: Runtime
  readonly processes: Processes
  readonly callees: Callee[] = []
  readonly calls: CallModel[] = []
  readonly controllers: AbortController[] = []
  readonly timers: Array<{
    owner: Callee
    timer: Timer
    dueAt: number
    every: number | undefined
    cleared: boolean
  }> = []

  expectedTicks = 0

  constructor () {
    const { runtime, processes } = buildRuntime({ clock: this.clock })
    this.runtime = runtime
    this.processes = processes
    for (let i = 0; i < callees; i++) this.callees.push(this.#callee())
  }

  #callee (): Callee {
    const one: Callee = {
      pid: this.processes.spawn((self) => {
        one.self = self
        return self.serve({}, (message) => {
          if ((message.topic as string) === 'call') one.mail.push(message)
          if ((message.topic as string) === 'tick') one.ticks++
        })
      }),
      self: undefined,
      ended: false,
      stopping: false,
      mail: [],
      ticks: 0,
      watcher: {
        targetEnded: () => {
          this.#ended(one)
        }
      }
    }
    this.runtime.exitSignals.monitor(one.pid, one.watcher)
    return one
  }

  call ({ from, to, timeout, signal }: Extract<Step, { do: 'call' }>): void {
    const caller = from === undefined ? undefined : this.callees[from]
    const controller = new AbortController()
    if (signal) this.controllers.push(controller)
    const target = this.callees[to]
    const number = this.calls.length
    const model: CallModel = {
      from,
      to,
      number,
      dueAt: this.clock.time + timeout,
      signal: signal ? controller.signal : undefined,
      expected: undefined,
      settled: []
    }
    if (caller?.ended === true) model.expected = 'FST_PROCESS_STOPPED'
    else if (target.ended) model.expected = 'FST_PROCESS_NOT_ALIVE'
    else if (target.stopping) model.expected = 'FST_PROCESS_REFUSED'
    this.calls.push(model)
    const call = (caller?.self ?? this.processes).call(target.pid, 'call', number, {
      timeout,
      signal: model.signal
    })
    call.then(
      (value) => {
        model.settled.push(`value ${String(value)}`)
      },
      (err: { code?: string, message: string }) => {
        model.settled.push(err.code ?? err.message)
      }
    )
  }

  answer ({ do: how, to, nth }: Extract<Step, { do: 'reply' | 'fail' }>): void {
    const message = this.callees[to].mail.at(-1 - nth)
    if (message === undefined) return
    const call = this.calls[message.payload as number]
    if (how === 'reply') {
      message.reply(`${call.number}` as never)
      call.expected ??= `value ${call.number}`
    } else {
      message.fail(new Error('no'))
      call.expected ??= 'FST_PROCESS_CALL_FAILED'
    }
  }

  abort (nth: number): void {
    const controller = this.controllers.at(-1 - nth)
    controller?.abort(new Error('aborted'))
    const call = this.calls.find(
      ({ signal }) => signal !== undefined && signal === controller?.signal
    )
    if (call !== undefined) call.expected ??= 'aborted'
  }

  startTimer ({ do: how, from, ms }: Extract<Step, { do: 'after' | 'every' }>): void {
    const owner = this.callees[from]
    const self = owner.self!
    if (owner.ended) return
    const timer =
      how === 'after'
        ? self.sendAfter(ms, owner.pid, 'tick')
        : self.sendEvery(ms, owner.pid, 'tick')
    this.timers.push({
      owner,
      timer,
      dueAt: this.clock.time + ms,
      every: how === 'every' ? ms : undefined,
      cleared: false
    })
  }

  /** Advances the clock by single milliseconds, so that each timer fires at its own time. */
  pass (ms: number): void {
    for (let i = 0; i < ms; i++) {
      this.clock.advance(1)
      for (const call of this.calls) {
        if (call.dueAt <= this.clock.time) call.expected ??= 'FST_PROCESS_CALL_TIMEOUT'
      }
      for (const one of this.timers) {
        if (one.cleared || one.owner.ended || one.dueAt !== this.clock.time) continue
        if (!one.owner.stopping) this.expectedTicks++
        if (one.every === undefined) one.cleared = true
        else one.dueAt += one.every
      }
    }
  }

  end (one: Callee): void {
    this.processes.exit(one.pid)
    equal(one.ended, true)
  }

  #ended (one: Callee): void {
    equal(one.ended, false, 'an end that is reported twice')
    one.ended = true
    const index = this.callees.indexOf(one)
    for (const call of this.calls) {
      // Its own calls settle first: an ended process gets no messages.
      if (call.from === index) call.expected ??= 'FST_PROCESS_STOPPED'
      else if (call.to === index) call.expected ??= 'FST_PROCESS_CALL_FAILED'
    }
  }

  async rest (): Promise<void> {
    for (let i = 0; i < 4; i++) {
      this.clock.run()
      this.clock.yieldOnce()
      await ticks()
    }
  }
}
