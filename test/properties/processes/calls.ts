// Calls, receives and timers on a manual clock. Each call settles once, by the first event.
// Receives get their topics in order. No timer or listener outlives its use.
import { getEventListeners } from 'node:events'
import fc from 'fast-check'
import { ticks } from '../clock.js'
import { equal, suiteOf } from '../suite.js'
import { CallBench } from './call-bench.js'
import { step, topics } from './call-steps.js'
import type { AnyMessage } from '../../process/helpers.js'
import type { Process } from '../../../types/processes.js'
import type { Pid } from '../../../types/pid.js'
import type { Step } from './call-steps.js'

interface ReceiveModel {
  readonly topic: string | undefined
  readonly timed: boolean
  /** The result: the number of a message, a timeout, or the end. */
  outcome: number | 'nothing' | 'stopped' | undefined
}

class Bench extends CallBench {
  readonly receives: ReceiveModel[] = []
  /** The messages sent to the receiver, in order. */
  readonly sent: Array<{ topic: string, number: number }> = []
  readonly got: number[] = []
  receiver!: Process
  receiverPid: Pid
  receiverEnded = false
  receiverStopping = false

  constructor () {
    super()
    this.receiverPid = this.processes.spawn((self) => {
      this.receiver = self
      // The body runs until the process is ended.
      return new Promise(() => {})
    })
    this.clock.run()
  }

  do (step: Step): void {
    switch (step.do) {
      case 'call':
        return this.call(step)
      case 'reply':
      case 'fail':
        return this.answer(step)
      case 'abort':
        return this.abort(step.nth)
      case 'send':
        return this.#send(step.topic, step.times)
      case 'receive':
        return this.#receive(step)
      case 'after':
      case 'every':
        return this.startTimer(step)
      case 'clear': {
        const timer = this.timers.at(-1 - step.nth)
        timer?.timer.cancel()
        if (timer !== undefined) timer.cleared = true
        return
      }
      case 'time':
        return this.pass(step.ms)
      case 'turn':
        this.clock.choice = step.choice
        this.clock.tasks.shift()?.()
        return
      case 'exit':
        return this.end(this.callees[step.to])
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
    this.pass(1)
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

  async endAll (): Promise<void> {
    // All calls have settled: their callees have no monitors any more.
    this.pass(25)
    await this.rest()
    for (const { pid, watcher } of this.callees) this.runtime.exitSignals.demonitor(pid, watcher)
    equal(this.runtime.relations.size, 0, 'calls that remain')
    for (const { ended, pid, watcher } of this.callees) {
      if (!ended) this.runtime.exitSignals.monitor(pid, watcher)
    }
    for (const one of this.callees) this.end(one)
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
    await bench.endAll()
  }
)
