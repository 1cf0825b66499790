// Random ends of processes: failures, exits, cancels, links and supervisors. The explanation of
// each process agrees with a model that knows why everything happened.
import fc from 'fast-check'
import { ManualClock } from '../clock.js'
import { equal, suiteOf } from '../suite.js'
import { buildRuntime } from '../../process/helpers.js'
import { EndModel } from './explain-model.js'
import type { ModelEnd } from './explain-model.js'
import type { Process, Processes, Supervisor } from '../../../types/processes.js'
import type { Pid } from '../../../types/pid.js'

type Step =
  | { do: 'spawn', stubborn: boolean, link: number | undefined }
  | { do: 'link', one: number, other: number }
  | { do: 'fail' | 'stop', one: number }
  | { do: 'exit' | 'cancel', one: number, by: number | undefined, reason: string }
  | { do: 'failChild' | 'stopChild', child: number }

interface Orders { fail: undefined, stop: undefined, link: Pid, exit: Order, cancel: Order }
interface Order { pid: Pid, reason: string }

const children = ['a', 'b', 'c']

function obey (self: Process<Orders>): Promise<void> {
  return self.serve({
    fail: () => { throw new Error('ordered') },
    stop: () => { self.stop('ordered') },
    link: (pid) => { self.link(pid) },
    exit: ({ pid, reason }) => { self.exit(pid, reason) },
    cancel: ({ pid }) => { self.cancel(pid) }
  })
}

/** Stops by itself when it is cancelled. */
function stubborn (self: Process<Orders>): Promise<void> {
  return self.serve({ '@cancel': () => { self.stop('own way') } })
}

class Bench {
  readonly #clock = new ManualClock()
  readonly #processes: Processes
  readonly #model: EndModel
  readonly #pids: Pid[] = []
  readonly #alive = new Map<Pid, string>()
  readonly #links = new Map<Pid, Set<Pid>>()
  readonly #supervisor: Supervisor
  readonly #strategy: 'one_for_one' | 'one_for_all'
  #children: Pid[] = []
  readonly #everChildren = new Set<Pid>()
  #restarts = 0

  constructor (keepEnds: number, strategy: 'one_for_one' | 'one_for_all') {
    const { processes } = buildRuntime({ clock: this.#clock, keepEnds })
    this.#processes = processes
    this.#model = new EndModel(keepEnds)
    this.#strategy = strategy
    this.#supervisor = processes.supervise({
      name: 'supervisor',
      strategy,
      maxRestarts: 2,
      period: '1h',
      children: children.map((id) => ({ id, start: obey }))
    })
    this.#alive.set(this.#supervisor.pid, 'supervisor')
    this.#noteChildren()
  }

  #noteChildren (): void {
    this.#children = this.#supervisor.children().map(({ pid }) => pid!)
    for (const pid of this.#children) {
      this.#everChildren.add(pid)
      this.#note(pid, 'obey')
    }
  }

  #note (pid: Pid, label: string): void {
    if (this.#pids.includes(pid)) return
    this.#pids.push(pid)
    this.#alive.set(pid, label)
    this.#links.set(pid, new Set())
  }

  async settle (): Promise<void> {
    for (let lap = 0; lap < 8; lap++) {
      this.#clock.run()
      this.#clock.yieldOnce()
      await new Promise(setImmediate)
    }
  }

  async do (step: Step): Promise<void> {
    switch (step.do) {
      case 'spawn': this.#spawn(step.stubborn, this.#nth(step.link)); break
      case 'link': this.#link(this.#nth(step.one), this.#nth(step.other)); break
      case 'fail': this.#order(this.#nth(step.one), 'fail'); break
      case 'stop': this.#order(this.#nth(step.one), 'stop'); break
      case 'exit': this.#exit(this.#nth(step.one), this.#nth(step.by), step.reason); break
      case 'cancel': this.#cancel(this.#nth(step.one), this.#nth(step.by)); break
      case 'failChild': this.#failChild(step.child); break
      case 'stopChild': this.#exit(this.#children[step.child], undefined, 'shutdown')
    }
    await this.settle()
    if (step.do === 'failChild' || step.do === 'stopChild') this.#childrenRestarted(step.child)
  }

  /** A process that no supervisor has started. */
  #nth (n: number | undefined): Pid | undefined {
    const own = this.#pids.filter((pid) => !this.#everChildren.has(pid))
    return n === undefined || own.length === 0 ? undefined : own[n % own.length]
  }

  #spawn (isStubborn: boolean, link: Pid | undefined): void {
    const body = isStubborn ? stubborn : obey
    const pid = this.#processes.spawn(body as typeof obey, { link })
    this.#note(pid, body.name)
    if (link !== undefined) this.#modelLink(pid, link)
  }

  #link (one: Pid | undefined, other: Pid | undefined): void {
    if (one === undefined || other === undefined || this.#alive.get(one) !== 'obey') return
    this.#processes.send(one, 'link', other)
    this.#modelLink(one, other)
  }

  #modelLink (one: Pid, other: Pid): void {
    if (one === other) return
    if (this.#alive.has(other)) {
      this.#links.get(one)!.add(other)
      this.#links.get(other)!.add(one)
    } else this.#ended(one, { reason: 'noproc', cause: 'link', because: other })
  }

  /** @param topic of an order to itself */
  #order (pid: Pid | undefined, topic: 'fail' | 'stop'): void {
    if (pid === undefined || this.#alive.get(pid) !== 'obey') return
    this.#processes.send(pid, topic)
    if (topic === 'fail') this.#ended(pid, { reason: 'error', cause: 'failed' })
    else this.#ended(pid, { reason: 'ordered', cause: 'stopped' })
  }

  #exit (pid: Pid | undefined, by: Pid | undefined, given: string): void {
    if (pid === undefined || !this.#alive.has(pid)) return
    if (by === undefined) this.#processes.exit(pid, given)
    else if (this.#alive.get(by) === 'obey') this.#processes.send(by, 'exit', { pid, reason: given })
    else return
    const reason = given === 'kill' ? 'killed' : given
    this.#ended(pid, { reason, cause: given === 'kill' ? 'killed' : 'exit', by })
  }

  #cancel (pid: Pid | undefined, by: Pid | undefined): void {
    if (pid === undefined || !this.#alive.has(pid)) return
    if (by === undefined) this.#processes.cancel(pid)
    else if (this.#alive.get(by) === 'obey') this.#processes.send(by, 'cancel', { pid, reason: '' })
    else return
    const isStubborn = this.#alive.get(pid) === 'stubborn'
    this.#ended(pid, { reason: isStubborn ? 'own way' : 'shutdown', cause: 'cancel', by })
  }

  /** Ends a process in the model, then those that are linked with it, in the order of signals. */
  #ended (pid: Pid, end: Omit<ModelEnd, 'pid' | 'label'>): void {
    const queue = [{ pid, ...end }]
    for (let i = 0; i < queue.length; i++) {
      const { pid, reason } = queue[i]
      const label = this.#alive.get(pid)
      if (label === undefined) continue
      this.#model.add({ ...queue[i], label })
      this.#alive.delete(pid)
      for (const peer of this.#links.get(pid) ?? []) {
        this.#links.get(peer)!.delete(pid)
        if (reason === 'normal' || reason === 'shutdown') continue
        queue.push({ pid: peer, reason, cause: 'link', because: pid })
      }
    }
  }

  #failChild (n: number): void {
    const pid = this.#children[n]
    if (!this.#alive.has(pid)) return
    this.#processes.send(pid, 'fail')
    this.#ended(pid, { reason: 'error', cause: 'failed' })
  }

  #childrenRestarted (n: number): void {
    const failed = this.#children[n]
    if (!this.#alive.has(this.#supervisor.pid)) return
    const others = this.#children.filter((pid) => pid !== failed).reverse()
    const stop = (cause: 'sibling' | 'supervisor', because: Pid): void => {
      for (const pid of others) this.#ended(pid, { reason: 'shutdown', cause, because })
    }
    if (++this.#restarts > 2) {
      stop('supervisor', this.#supervisor.pid)
      const reason = 'restart_intensity'
      this.#ended(this.#supervisor.pid, { reason, cause: 'gave_up', because: failed })
      return
    }
    if (this.#strategy === 'one_for_all') stop('sibling', failed)
    const before = this.#children
    this.#noteChildren()
    for (const [i, pid] of before.entries()) {
      if (pid !== this.#children[i]) this.#model.restarted(pid, this.#children[i])
    }
  }

  check (): void {
    for (const pid of [...this.#pids, this.#supervisor.pid]) {
      const explained = this.#processes.explain(pid)!
      const { state, chain, together, restartedAs, text } = explained
      const model = this.#model.chainOf(pid)
      const expected = this.#alive.has(pid) ? 'alive' : model.length === 0 ? 'forgotten' : 'ended'
      equal(state, expected, pid)
      equal(/^[^\n]+$/.test(text), true, text)
      equal(
        chain.map(({ pid, label, reason, cause, because, by }) => {
          return [pid, label, reason, cause, because, by].join(' ')
        }).join(', '),
        model.map(({ pid, label, reason, cause, because, by }) => {
          return [pid, label, reason, cause, because, by].join(' ')
        }).join(', '),
        `the chain of ${pid}`
      )
      if (model.length === 0) continue
      equal(together, this.#model.together(pid), `together with ${pid}`)
      equal(restartedAs, this.#model.restartedAs(pid), `the successor of ${pid}`)
    }
    const [last] = this.#pids.slice(-1)
    const next = last.replace(/^\d+/, '1000')
    equal(this.#processes.explain(next), undefined, 'a PID that was not given yet')
  }
}

const index = fc.nat(9)
const maybe = fc.option(index, { nil: undefined })
const reason = fc.constantFrom('boom', 'kill', 'shutdown')

const spawn = fc.record({
  do: fc.constant('spawn' as const), stubborn: fc.boolean(), link: maybe
})
const end = fc.record({
  do: fc.constantFrom('exit' as const, 'cancel' as const), one: index, by: maybe, reason
})

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: spawn },
  fc.record({ do: fc.constant('link' as const), one: index, other: index }),
  fc.record({ do: fc.constantFrom('fail' as const, 'stop' as const), one: index }),
  { weight: 2, arbitrary: end },
  fc.record({
    do: fc.constantFrom('failChild' as const, 'stopChild' as const), child: fc.nat(2)
  })
)

const history = fc.record({
  keepEnds: fc.constantFrom(1, 2, 4, 100),
  strategy: fc.constantFrom('one_for_one' as const, 'one_for_all' as const),
  steps: fc.array(step, { minLength: 5, maxLength: 20 })
})

export const explain = suiteOf('explain', history, async ({ keepEnds, strategy, steps }) => {
  const bench = new Bench(keepEnds, strategy)
  await bench.settle()
  for (const step of steps) await bench.do(step)
  bench.check()
})
