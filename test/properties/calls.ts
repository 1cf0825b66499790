// Calls, receives and timers on a manual clock. Each call settles once, by the first event.
// Receives get their topics in order. No timer or listener outlives its use.
import { getEventListeners } from 'node:events'
import fc from 'fast-check'
import { buildRuntime } from '../process/helpers.js'
import { ManualClock, ticks } from './clock.js'
import { equal, suiteOf } from './suite.js'
import type { AnyMessage } from '../process/helpers.js'
import type { ExitListener } from '../../lib/process/exits/relations.js'
import type { Runtime } from '../../lib/process/runtime.js'
import type { Process, Processes, Timer } from '../../types/processes.js'
import type { Pid } from '../../types/pid.js'

const callees = 3
const callee = fc.nat(callees - 1)
const nth = fc.nat(3)
const topics = ['a', 'b'] as const
const topic = fc.constantFrom(...topics)
const ms = fc.constantFrom(1, 5, 20)

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('call' as const),
      from: fc.option(callee, { nil: undefined }),
      to: callee,
      timeout: ms,
      signal: fc.boolean()
    })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('reply' as const, 'fail' as const),
      to: callee,
      nth
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), nth }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      topic,
      times: fc.integer({ min: 1, max: 20 })
    })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('receive' as const),
      topic: fc.option(topic, { nil: undefined }),
      timeout: fc.option(ms, { nil: undefined })
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('after' as const, 'every' as const),
      from: callee,
      ms
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('clear' as const), nth }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.nat(12) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('turn' as const), choice: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('exit' as const, 'cancel' as const), to: callee })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('exit receiver' as const, 'cancel receiver' as const)
    })
  }
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

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

interface ReceiveModel {
  readonly topic: string | undefined
  readonly timed: boolean
  /** The result: the number of a message, a timeout, or the end. */
  outcome: number | 'nothing' | 'stopped' | undefined
}

/** A process that keeps its calls, so that the history answers them. */
interface Callee {
  readonly pid: Pid
  self: Process | undefined
  ended: boolean
  stopping: boolean
  readonly mail: AnyMessage[]
  /** The messages of its timers. */
  ticks: number
  readonly watcher: ExitListener
}

class Bench {
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

  readonly receives: ReceiveModel[] = []
  /** The messages sent to the receiver, in order. */
  readonly sent: Array<{ topic: string, number: number }> = []
  readonly got: number[] = []
  receiver!: Process
  receiverPid: Pid
  receiverEnded = false
  receiverStopping = false
  expectedTicks = 0

  constructor () {
    const { runtime, processes } = buildRuntime({ clock: this.clock })
    this.runtime = runtime
    this.processes = processes
    for (let i = 0; i < callees; i++) this.callees.push(this.#callee())
    this.receiverPid = processes.spawn((self) => {
      this.receiver = self
      // The body runs until the process is ended.
      return new Promise(() => {})
    })
    this.clock.run()
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

  do (step: Step): void {
    switch (step.do) {
      case 'call':
        return this.#call(step)
      case 'reply':
      case 'fail':
        return this.#answer(step)
      case 'abort':
        return this.#abort(step.nth)
      case 'send':
        return this.#send(step.topic, step.times)
      case 'receive':
        return this.#receive(step)
      case 'after':
      case 'every':
        return this.#startTimer(step)
      case 'clear': {
        const timer = this.timers.at(-1 - step.nth)
        timer?.timer.cancel()
        if (timer !== undefined) timer.cleared = true
        return
      }
      case 'time':
        return this.#pass(step.ms)
      case 'turn':
        this.clock.choice = step.choice
        this.clock.tasks.shift()?.()
        return
      case 'exit':
        return this.#end(this.callees[step.to])
      case 'cancel':
        this.processes.cancel(this.callees[step.to].pid)
        this.callees[step.to].stopping = true
        return
      case 'exit receiver':
        this.processes.exit(this.receiverPid)
        this.receiverEnded = true
        return
      case 'cancel receiver':
        this.processes.cancel(this.receiverPid)
        this.receiverStopping = true
    }
  }

  #call ({ from, to, timeout, signal }: Extract<Step, { do: 'call' }>): void {
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

  #answer ({ do: how, to, nth }: Extract<Step, { do: 'reply' | 'fail' }>): void {
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

  #abort (nth: number): void {
    const controller = this.controllers.at(-1 - nth)
    controller?.abort(new Error('aborted'))
    const call = this.calls.find(
      ({ signal }) => signal !== undefined && signal === controller?.signal
    )
    if (call !== undefined) call.expected ??= 'aborted'
  }

  #send (topic: string, times: number): void {
    for (let i = 0; i < times; i++) {
      const number = this.sent.length
      const accepted = this.processes.send(this.receiverPid, topic, number)
      equal(accepted, !this.receiverEnded && !this.receiverStopping, 'a send')
      if (accepted) this.sent.push({ topic, number })
    }
  }

  #receive ({ topic, timeout }: Extract<Step, { do: 'receive' }>): void {
    const model: ReceiveModel = { topic, timed: timeout !== undefined, outcome: undefined }
    this.receives.push(model)
    this.receiver
      .receive({
        ...(topic !== undefined && { topic }),
        ...(timeout !== undefined && { timeout })
      } as never)
      .then(
        (message: AnyMessage | undefined) => {
          equal(model.outcome, undefined)
          if (message === undefined) {
            equal(
              this.#left().some((one) => topic === undefined || one.topic === topic),
              false,
              'a receive that got nothing of what is there'
            )
            model.outcome = 'nothing'
          } else if (message.topic === '@cancel') model.outcome = -1
          else {
            equal(topic === undefined || message.topic === topic, true, 'the topic of a receive')
            model.outcome = message.payload as number
            this.got.push(model.outcome)
          }
        },
        (err: { code: string }) => {
          equal(err.code, 'FST_PROCESS_STOPPED')
          model.outcome = 'stopped'
        }
      )
  }

  #startTimer ({ do: how, from, ms }: Extract<Step, { do: 'after' | 'every' }>): void {
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
  #pass (ms: number): void {
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

  #end (one: Callee): void {
    this.processes.exit(one.pid)
    equal(one.ended, true)
  }

  #ended (one: Callee): void {
    equal(one.ended, false, 'an end that is told twice')
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

  compare (): void {
    for (const { expected, settled, number } of this.calls) {
      equal(settled.length, expected === undefined ? 0 : 1, `times that call ${number} was settled`)
      if (expected !== undefined) equal(settled[0], expected, `call ${number}`)
    }
    for (const { pid, ended, stopping } of this.callees) {
      equal(this.processes.alive(pid), !ended)
      equal(stopping && !ended, false, 'a process that was cancelled goes on')
    }
    this.#compareMail()
    const running = this.timers.filter(({ cleared, owner }) => !cleared && !owner.ended).length
    const callsOpen = this.calls.filter(({ expected }) => expected === undefined).length
    const receivesOpen = this.receives.filter(
      ({ outcome, timed }) => timed && outcome === undefined
    ).length
    equal(this.clock.runningTimers, running + callsOpen + receivesOpen, 'timers that run')
  }

  #left (): Array<{ topic: string, number: number }> {
    return this.sent.filter(({ number }) => !this.got.includes(number))
  }

  #compareMail (): void {
    equal(new Set(this.got).size, this.got.length, 'a message received twice')
    // The messages of one topic arrive in the order sent, by any receive.
    for (const topic of topics) {
      const numbers = this.got.filter((number) => this.sent[number].topic === topic)
      equal(
        numbers.every((number, i) => i === 0 || number > numbers[i - 1]),
        true,
        'the order of a topic'
      )
    }
    if (this.receiverEnded) {
      equal(
        this.receives.every(({ outcome }) => outcome !== undefined),
        true,
        'a receive that waits for ever'
      )
      return
    }
    const left = this.#left()
    for (const { topic, outcome } of this.receives) {
      const wanted = left.some((one) => topic === undefined || one.topic === topic)
      if (outcome === undefined) equal(wanted, false, 'a receive waits, and its mail as well')
      if (outcome === undefined) {
        equal(this.receiverStopping, false, 'a receive that nobody will settle')
      }
    }
    const cancelTaken = this.receives.some(({ outcome }) => outcome === -1)
    equal(
      this.processes.info(this.receiverPid)!.mailbox,
      left.length + (this.receiverStopping && !cancelTaken ? 1 : 0),
      'mail that waits'
    )
  }

  /** Receives all messages that are left: complete and in order. */
  async drain (): Promise<void> {
    if (this.receiverEnded) return
    const before = this.got.length
    const left = this.#left()
    for (let i = 0; i <= left.length; i++) {
      this.#receive({ do: 'receive', topic: undefined, timeout: 1 })
    }
    await this.rest()
    this.#pass(1)
    await this.rest()
    equal(this.got.slice(before).join(), left.map(({ number }) => number).join(), 'what was left')
  }

  finish (): void {
    equal(
      this.callees.reduce((sum, one) => sum + one.ticks, 0) <= this.expectedTicks,
      true,
      'timers that fired'
    )
    if (this.callees.every((one) => !one.ended && !one.stopping)) {
      equal(
        this.callees.reduce((sum, one) => sum + one.ticks, 0),
        this.expectedTicks,
        'timers that fired'
      )
    }
  }

  async end (): Promise<void> {
    // All calls have settled: their callees have no monitors any more.
    this.#pass(25)
    await this.rest()
    for (const { pid, watcher } of this.callees) this.runtime.exitSignals.demonitor(pid, watcher)
    equal(this.runtime.relations.size, 0, 'calls that remain')
    for (const { ended, pid, watcher } of this.callees) {
      if (!ended) this.runtime.exitSignals.monitor(pid, watcher)
    }
    for (const one of this.callees) this.#end(one)
    this.processes.exit(this.receiverPid)
    await this.rest()
    equal(
      this.calls.every(({ settled }) => settled.length === 1),
      true,
      'a call that nobody settles'
    )
    equal(this.clock.runningTimers, 0, 'timers that remain')
    equal(this.runtime.relations.size, 0, 'relations that remain')
    for (const { signal } of this.calls) {
      if (signal !== undefined) {
        equal(getEventListeners(signal, 'abort').length, 0, 'abort listeners that remain')
      }
    }
  }
}

export const calls = suiteOf(
  'calls',
  fc.array(step, { minLength: 5, maxLength: 50, size: 'max' }),
  async (steps) => {
    const bench = new Bench()
    for (const step of steps) {
      bench.do(step)
      if (step.do === 'turn' || step.do === 'time') await ticks()
    }
    await bench.rest()
    bench.compare()
    await bench.drain()
    bench.finish()
    await bench.end()
  }
)
