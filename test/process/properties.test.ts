import t from 'tap'
import fc from 'fast-check'
import { buildRuntime, held, ManualTurns } from './helpers.js'
import type { AnyMessage } from './helpers.js'
import type { Exit } from '../../types/messages.js'
import type { Monitor, Pid } from '../../types/pid.js'
import type { Process, Processes } from '../../types/processes.js'
import type { Runtime } from '../../lib/process/runtime.js'

const mostProcesses = 7
const reasons = ['normal', 'shutdown', 'kill', 'boom'] as const

const who = fc.nat(mostProcesses - 1)
const pair = { one: who, other: who }
const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('spawn' as const), ...pair, link: fc.boolean(), monitor: fc.boolean(), trap: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('send' as const), ...pair }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('link' as const, 'unlink' as const), ...pair }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('monitor' as const, 'demonitor' as const), ...pair }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('name' as const), ...pair }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('join' as const, 'leave' as const), one: who, other: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('exit' as const), ...pair, reason: fc.constantFrom(...reasons) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('cancel' as const, 'stop' as const), ...pair }) }
)
type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never

/** Who does it, and when: from outside, or in a handler at its turn; in between, turns are given. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: operation, inside: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ turn: fc.constantFrom('soon' as const, 'later' as const, 'microtasks' as const), ms: fc.nat(4) }) }
)

/** One process as the model knows it. */
interface Modelled {
  readonly pid: Pid
  readonly trap: boolean
  self: Process | undefined
  alive: boolean
  /** Told to stop: when it ends, it ends with this. */
  told: string | undefined
  cancelled: boolean
  /** How much it had seen when it stopped from inside: it sees no more. */
  stoppedAt: number | undefined
  /** What it was sent, in the order in which it was accepted. */
  readonly accepted: AnyMessage[]
  readonly seen: AnyMessage[]
  readonly links: Set<Modelled>
  readonly expectedExits: Map<Monitor, Modelled>
  readonly monitors: Map<Monitor, Modelled>
  linkDowns: number
  readonly exits: Exit[]
  endedWith: string | undefined
}

function isOrderly (reason: string): boolean {
  return reason === 'normal' || reason === 'shutdown'
}

/** The real system beside a model of it. Each operation happens to both, and must do the same. */
class Twin {
  readonly turns = new ManualTurns()
  readonly runtime: Runtime
  readonly processes: Processes
  readonly all: Modelled[] = []
  readonly names = new Map<string, Modelled>()
  readonly members = new Map<Modelled, number>()
  #sent = 0

  constructor () {
    const { runtime, processes } = buildRuntime({ turns: this.turns })
    this.runtime = runtime
    this.processes = processes
  }

  do (operation: Operation): void {
    if (operation.kind === 'spawn') {
      if (this.all.length < mostProcesses) this.#spawn(operation)
      return
    }
    const one = this.all[operation.one]
    const other = this.all[operation.other]
    if (one?.self === undefined || other === undefined || (!one.alive && operation.kind !== 'send')) return
    const { self } = one
    switch (operation.kind) {
      case 'send': this.#send(one, other); break
      case 'link': this.#link(one, other); break
      case 'unlink':
        self.unlink(other.pid)
        one.links.delete(other)
        other.links.delete(one)
        break
      case 'monitor': this.#monitor(one, other, self.monitor(other.pid)); break
      case 'demonitor': this.#demonitor(one, self); break
      case 'name': this.#name(other); break
      case 'join':
        equal(this.processes.groups.join('g', other.pid), other.alive)
        if (other.alive) this.members.set(other, (this.members.get(other) ?? 0) + 1)
        break
      case 'leave': {
        const times = this.members.get(other) ?? 0
        equal(this.processes.groups.leave('g', other.pid), times > 0)
        if (times > 1) this.members.set(other, times - 1)
        else this.members.delete(other)
        break
      }
      case 'exit':
        equal(other.alive, self.exit(other.pid, operation.reason))
        this.#end(other, operation.reason === 'kill' ? 'killed' : operation.reason)
        break
      case 'cancel':
        equal(self.cancel(other.pid), other.alive)
        if (other.alive && other.told === undefined) {
          other.told = 'shutdown'
          other.cancelled = true
        }
        break
      case 'stop':
        if (one.told !== undefined) return
        try {
          self.stop('enough')
        } catch {}
        one.told = 'enough'
        one.stoppedAt = one.seen.length
    }
  }

  #spawn ({ one, other, link, monitor, trap }: Extract<Operation, { kind: 'spawn' }>): void {
    const linked = link ? this.all[one] : undefined
    const told = monitor && this.all[other]?.alive === true ? this.all[other] : undefined
    const pid = this.processes.spawn((self) => {
      process.self = self
      return self.serve({}, (message) => {
        process.seen.push(message)
        if (message.topic as string === 'do') this.do(message.payload as never)
      })
    }, { trapLinks: trap, ...linked && { link: linked.pid }, ...told && { monitor: told.pid } })
    const process: Modelled = {
      pid, trap, self: undefined, alive: true, told: undefined, cancelled: false, stoppedAt: undefined, accepted: [], seen: [], links: new Set(), expectedExits: new Map(), monitors: new Map(), linkDowns: 0, exits: [], endedWith: undefined
    }
    this.all.push(process)
    // The monitors of SpawnOptions have no number that is known here: it is in the message.
    if (told !== undefined) this.#monitor(told, process, spawnMonitor(process))
    if (linked !== undefined) this.#linked(process, linked)
    this.runtime.watch(pid, { targetEnded: (exit) => { this.#ended(process, exit) } })
  }

  #send (from: Modelled, to: Modelled): void {
    const payload = ++this.#sent
    const accepted = from.alive && to.alive && to.told === undefined
    equal(from.self!.send(to.pid, 'mail', payload), accepted)
    if (accepted) to.accepted.push({ topic: 'mail', payload, from: from.pid } as AnyMessage)
  }

  #link (one: Modelled, other: Modelled): void {
    one.self!.link(other.pid)
    this.#linked(one, other)
  }

  #linked (one: Modelled, other: Modelled): void {
    if (one === other) return
    if (other.alive) {
      one.links.add(other)
      other.links.add(one)
    } else if (one.trap) {
      if (one.told === undefined) one.linkDowns++
    } else this.#end(one, 'noproc')
  }

  #monitor (one: Modelled, other: Modelled, id: Monitor): void {
    if (other.alive) one.monitors.set(id, other)
    else if (one.told === undefined) one.expectedExits.set(id, other)
  }

  #demonitor (one: Modelled, self: Process): void {
    const ids = [...one.monitors.keys(), ...one.expectedExits.keys()].filter((id) => id > 0)
    if (ids.length === 0) return
    const id = ids[ids.length - 1]
    self.demonitor(id)
    one.monitors.delete(id)
    const isIt = ({ topic, payload }: AnyMessage): boolean => topic === '@exit' && (payload as { monitor: Monitor }).monitor === id
    if (!one.seen.some(isIt)) one.expectedExits.delete(id)
  }

  #name (other: Modelled): void {
    try {
      this.processes.names.register('name', other.pid)
      equal(other.alive && !this.names.has('name'), true)
      this.names.set('name', other)
    } catch (err) {
      equal((err as { code: string }).code, other.alive ? 'FST_PROCESS_NAME_TAKEN' : 'FST_PROCESS_NOT_ALIVE')
      equal(other.alive && !this.names.has('name'), false)
    }
  }

  /** What an end does, as the model sees it: at once, and along the links. */
  #end (process: Modelled, reason: string): void {
    if (!process.alive) return
    process.alive = false
    process.endedWith = reason
    this.members.delete(process)
    if (this.names.get('name') === process) this.names.delete('name')
    const peers = [...process.links]
    process.links.clear()
    for (const peer of peers) {
      peer.links.delete(process)
      if (isOrderly(reason)) continue
      if (!peer.trap) this.#end(peer, reason)
      else if (peer.told === undefined) peer.linkDowns++
    }
    for (const watcher of this.all) {
      for (const [id, target] of watcher.monitors) {
        if (target !== process) continue
        watcher.monitors.delete(id)
        if (watcher.told === undefined) watcher.expectedExits.set(id, process)
      }
    }
  }

  /** What the system says of an end: the model knew it, or it was told to stop before. */
  #ended (process: Modelled, exit: Exit): void {
    process.exits.push(exit)
    if (process.told !== undefined && process.alive && exit.reason === process.told) this.#end(process, exit.reason)
  }

  async give ({ turn, ms }: { turn: 'soon' | 'later' | 'microtasks', ms: number }): Promise<void> {
    this.turns.clock += ms
    if (turn === 'soon') this.turns.tasks.shift()?.()
    else if (turn === 'later') this.turns.breathe()
    else for (let i = 0; i < 5; i++) await null
  }

  async finish (): Promise<void> {
    let idle = 0
    while (idle < 5) {
      idle = this.turns.tasks.length + this.turns.laterTasks.length === 0 ? idle + 1 : 0
      this.turns.run()
      this.turns.breathe()
      await this.give({ turn: 'microtasks', ms: 0 })
    }
  }

  /** What must agree after every step. */
  compare (): void {
    for (const process of this.all) {
      equal(this.processes.alive(process.pid), process.alive)
      if (process.alive) sameSet(this.processes.info(process.pid)!.links, [...process.links].map(({ pid }) => pid))
    }
    equal(this.processes.names.lookup('name'), this.names.get('name')?.pid)
    sameSet(this.processes.groups.members('g'), [...this.members.keys()].map(({ pid }) => pid))
  }

  /** What must hold of a finished history. */
  judge (): void {
    for (const process of this.all) {
      equal(process.exits.length, process.alive ? 0 : 1)
      equal(process.exits[0]?.reason, process.endedWith)
      equal(process.exits[0]?.error, undefined)
      const mail = process.seen.filter(({ topic }) => !topic.startsWith('@'))
      // In order and at most once: what was seen is how what was accepted begins.
      for (const [i, { payload, from }] of mail.entries()) equal(payload === process.accepted[i]?.payload && from === process.accepted[i]?.from, true)
      if (process.alive || (process.cancelled && process.exits[0].reason === 'shutdown' && process.seen.at(-1)?.topic === '@cancel')) equal(mail.length, process.accepted.length)
      if (process.stoppedAt !== undefined) equal(process.seen.length, process.stoppedAt)
      const cancelAt = process.seen.findIndex(({ topic }) => topic === '@cancel')
      if (cancelAt >= 0) equal(cancelAt, process.seen.length - 1)
      this.#judgeExits(process)
      if (process.alive) equal(process.seen.filter(({ topic }) => topic === '@link_down').length, process.linkDowns)
    }
  }

  #judgeExits (process: Modelled): void {
    const seen = new Set<Monitor>()
    for (const [at, { topic, payload }] of process.seen.entries()) {
      if (topic !== '@exit') continue
      const { pid, monitor, reason } = payload as Exit & { monitor: Monitor }
      const ended = this.all.find((other) => other.pid === pid)!
      const id = process.expectedExits.has(monitor) ? monitor : spawnMonitor(ended)
      equal(seen.has(id), false)
      seen.add(id)
      equal(process.expectedExits.get(id), ended)
      equal(reason === ended.endedWith || reason === 'noproc', true)
      equal(process.seen.slice(at).some(({ from }) => from === pid), false)
    }
    if (process.alive && process.told === undefined) equal(seen.size, process.expectedExits.size)
  }
}

/** A number for the monitor that SpawnOptions made. */
function spawnMonitor ({ pid }: Modelled): Monitor {
  return -parseInt(pid) as Monitor
}

function equal (actual: unknown, expected: unknown): void {
  if (!Object.is(actual, expected)) throw new Error(`${String(actual)} instead of ${String(expected)}`)
}

function sameSet (actual: string[], expected: string[]): void {
  equal([...actual].sort().join(), [...expected].sort().join())
}

// fast-check prints seed and path of a failure: `{ seed, path }` beside `numRuns` runs it again.
t.test('whatever processes do to each other, in whatever order, the guarantees hold', { timeout: 60_000 }, async (t) => {
  const spawns = fc.constant({ do: { kind: 'spawn', one: 0, other: 0, link: false, monitor: false, trap: false }, inside: false } as const)
  const history = fc.tuple(fc.tuple(spawns, spawns, spawns), fc.array(step, { minLength: 10, maxLength: 60, size: 'max' })).map(([first, rest]) => [...first, ...rest])
  await fc.assert(fc.asyncProperty(history, async (steps) => {
    const twin = new Twin()
    for (const step of steps) {
      if ('turn' in step) await twin.give(step)
      else if (!step.inside) twin.do(step.do)
      else {
        const actor = twin.all[step.do.one]
        if (actor !== undefined && twin.processes.send(actor.pid, 'do', step.do)) actor.accepted.push({ topic: 'do', payload: step.do, from: undefined } as AnyMessage)
      }
      twin.compare()
    }
    await twin.finish()
    twin.compare()
    twin.judge()
    for (const pid of twin.processes.list()) twin.processes.exit(pid)
    await twin.finish()
    const { alive, relations, names, groups } = held(twin.runtime)
    equal(alive + relations + names + groups, 0)
  }), { numRuns: 3000 })
  t.pass()
})
