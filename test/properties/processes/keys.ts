// Processes with keys on a manual clock. At most one instance of a key takes mail, in order. Each
// request settles once, and is refused only for a reason. Nothing is left of dead keys.
import fc from 'fast-check'
import { ManualClock, ticks } from '../clock.js'
import { equal, suiteOf } from '../suite.js'
import { buildRuntime, held } from '../../process/helpers.js'
import { Gates } from '../gates.js'
import { step } from './key-steps.js'
import type { Step } from './key-steps.js'
import type { Keyed } from '../../../types/keyed.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'

const max = 3
const maxRestarts = 2
const period = 1000
const delay = 100

interface Instance {
  readonly pid: Pid
  readonly key: string
  /** One of its handlers runs. */
  isBusy: boolean
}

class Bench {
  readonly clock = new ManualClock()
  readonly #system = buildRuntime({ clock: this.clock })
  readonly #loading = new Gates()
  readonly #busy = new Gates()
  readonly #cleaning = new Gates()
  readonly #instances: Instance[] = []
  readonly #taken = new Map<string, number>()
  readonly #keyed: Keyed
  /** Errors in bodies would only end their processes. */
  readonly #violations: string[] = []
  #sent = 0
  #isEnding = false
  #open = 0
  #crashed = 0
  #crashes: number[] = []

  constructor () {
    this.#keyed = this.#system.processes.keyed('k', {
      max,
      maxRestarts,
      period,
      idle: 400,
      backoff: { initial: delay, max: delay, jitter: 0 },
      start: (self: Process, key: string) => this.#body(self, key)
    })
  }

  async #body (self: Process, key: string): Promise<void> {
    const instance: Instance = { pid: self.pid, key, isBusy: false }
    const isBusy = this.#instances.some((one) => one.key === key && one.isBusy)
    if (isBusy) this.#violations.push('an instance starts while an older one handles mail')
    this.#instances.push(instance)
    this.#system.processes.exited(self.pid).then(() => { instance.isBusy = false })
    const take = (number: number): void => {
      const latest = this.#instances.filter((one) => one.key === key).at(-1)
      if (latest !== instance) this.#violations.push('an older instance takes mail')
      if (number <= (this.#taken.get(key) ?? -1)) this.#violations.push('mail is out of order')
      this.#taken.set(key, number)
    }
    if (!this.#isEnding) await this.#loading.wait()
    try {
      await self.serve({
        note: take,
        busy: async (number: number) => {
          take(number)
          if (this.#isEnding) return
          instance.isBusy = true
          await this.#busy.wait()
          instance.isBusy = false
        },
        stop: (number: number) => {
          take(number)
          self.stop()
        },
        crash: (number: number) => {
          take(number)
          throw new Error('boom')
        },
        ask: (number: number, { reply }: { reply: (value: unknown) => void }) => {
          take(number)
          reply(self.pid)
        }
      } as never)
    } finally {
      if (!this.#isEnding) await this.#cleaning.wait()
    }
  }

  do (step: Step): void {
    const { processes } = this.#system
    switch (step.do) {
      case 'send':
        return this.#checkRefusal(processes.send(this.#address(step), step.topic, this.#sent++))
      case 'get':
        return this.#ask(this.#keyed.get(step.key), step.key)
      case 'call':
        return this.#ask(processes.call(this.#address(step), 'ask', this.#sent++, {
          timeout: 1e6
        }) as Promise<Pid>, step.key)
      case 'cancel':
        processes.cancel(this.#address(step))
        return
      case 'exit':
      case 'fail':
        processes.exit(this.#address(step), step.do === 'fail' ? 'boom' : undefined)
        return
      case 'stop key':
        this.#open++
        this.#keyed.stop(step.key).then(() => { this.#open-- })
        return
      case 'loaded': return this.#loading.open(step.nth)
      case 'unloadable': return this.#loading.open(step.nth, new Error('unloadable'))
      case 'rest': return this.#busy.open(step.nth)
      case 'clean': return this.#cleaning.open(step.nth)
      case 'time': return this.clock.advance(step.ms)
      case 'turn':
        this.clock.choice = step.choice
        this.clock.tasks.shift()?.()
        this.clock.yieldOnce()
    }
  }

  #address ({ key }: { key: 'a' | 'b' }): Pid {
    return this.#keyed.key(key)
  }

  #ask (asked: Promise<Pid>, key: string): void {
    this.#open++
    const canRefuse = this.#mayRefuse()
    asked.then(
      (pid) => {
        this.#open--
        equal(this.#instances.find((one) => one.pid === pid)?.key, key, 'the key of an answer')
      },
      (err: { code: string }) => {
        this.#open--
        if (['FST_PROCESS_TOO_MANY', 'FST_PROCESS_REFUSED'].includes(err.code)) {
          equal(canRefuse, true, 'a refusal with a reason')
        }
      }
    )
  }

  #checkRefusal (accepted: boolean): void {
    this.#countCrashes()
    if (!accepted) equal(this.#mayRefuse(), true, 'a refusal with a reason')
  }

  #mayRefuse (): boolean {
    this.#countCrashes()
    // The clock of the failures stands still during delays.
    const recent = this.#crashes.filter((at) => at > this.clock.time - 2 * period - 10 * delay)
    return this.#alive >= max || recent.length > maxRestarts
  }

  get #alive (): number {
    return this.#system.processes.list().length
  }

  #countCrashes (): void {
    const { crashed } = this.#system.processes.stats().keyed.k
    while (this.#crashed < crashed) {
      this.#crashed++
      this.#crashes.push(this.clock.time)
    }
  }

  compare (): void {
    this.#countCrashes()
    equal(this.#violations.join(), '')
    equal(this.#alive <= max, true, 'at most max instances')
    equal(this.#system.processes.stats().keyed.k.alive, this.#alive, 'instances that are alive')
    for (const key of this.#keyed.list()) {
      equal(this.#system.processes.alive(this.#keyed.peek(key)!), true, 'a listed instance lives')
    }
  }

  async rest (): Promise<void> {
    for (let i = 0; i < 8; i++) {
      await ticks()
      this.clock.run()
      this.clock.yieldOnce()
    }
    await ticks()
  }

  async finish (): Promise<void> {
    const { processes, runtime } = this.#system
    this.#isEnding = true
    for (let i = 0; i < 30 && runtime.kinds.size + processes.list().length > 0; i++) {
      for (const gates of [this.#loading, this.#busy, this.#cleaning]) gates.openAll()
      await this.rest()
      this.clock.advance(500)
    }
    await this.rest()
    this.compare()
    equal(this.#open, 0, 'requests that never settle')
    const { alive, relations, names } = held(runtime)
    equal(alive + relations + names, 0, 'entries that are left')
    equal(runtime.kinds.size, 0, 'keys that are kept')
    equal(this.clock.runningTimers, 0, 'timers that run')
    const { sent, delivered, deadLettersBy } = processes.stats()
    equal(delivered + deadLettersBy.ended, sent, 'messages that are accounted for')
  }
}

export const keys = suiteOf(
  'keys',
  fc.array(step, { minLength: 10, maxLength: 60 }),
  async (history) => {
    const bench = new Bench()
    for (const step of history) {
      bench.do(step)
      await ticks()
      bench.compare()
    }
    await bench.finish()
  }
)
