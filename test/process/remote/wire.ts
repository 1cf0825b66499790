// Runtimes in one operating-system process, joined without a cluster. Each calls the others
// asynchronously and in order. It tests remote operations without channels and engines.
import { LocalProcesses } from '../../../lib/process/remote/local-processes.js'
import { failure, success } from '../../../lib/shared/result.js'
import { recordUnreadJoins, tookJoin } from '../../../lib/process/exits/unread-joins.js'
import type { Answer, PendingCall } from '../../../lib/process/calls.js'
import type { BindResult, RemoteNodes } from '../../../lib/process/remote/remote-nodes.js'
import type { Target } from '../../../lib/process/entity.js'
import type { Producer } from '../../../lib/shared/watermark.js'
import type { ExitListener } from '../../../lib/process/exits/relations.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

function nodeOf (pid: string): string {
  return pid.slice(pid.indexOf('@') + 1, pid.lastIndexOf('.'))
}

/** Carries all calls from node to node. */
export class Wire {
  readonly #sides = new Map<string, Side>()
  readonly #tasks: Array<() => void> = []
  #held = false
  #scheduled = false

  join (runtime: Runtime): void {
    const side = new Side(this, runtime)
    this.#sides.set(runtime.pids.node, side)
    runtime.clusterAccess.joinCluster(side)
  }

  sideOf (pid: string): Side | undefined {
    return this.#sides.get(nodeOf(pid))
  }

  /** Holds all calls back until `release`. */
  hold (): void {
    this.#held = true
  }

  release (): void {
    this.#held = false
    this.#schedule()
  }

  /** Separates a node from all others. */
  lose (node: string): void {
    const lost = this.#sides.get(node)!
    this.#sides.delete(node)
    for (const side of this.#sides.values()) {
      side.lost(node)
      lost.lost(side.node)
    }
    lost.alone = true
  }

  later (task: () => void): void {
    this.#tasks.push(task)
    this.#schedule()
  }

  #schedule (): void {
    if (this.#held || this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#held) return
      for (const task of this.#tasks.splice(0)) task()
    })
  }
}

/** The other nodes, for one node. */
class Side implements RemoteNodes {
  readonly here: LocalProcesses
  readonly node: string
  alone = false
  readonly #wire: Wire
  readonly #runtime: Runtime
  readonly #watchers = new Map<Pid, Map<ExitListener, ExitListener>>()
  readonly #calls = new Map<PendingCall, Pid>()

  constructor (wire: Wire, runtime: Runtime) {
    this.#wire = wire
    this.#runtime = runtime
    this.node = runtime.pids.node
    this.here = new LocalProcesses(runtime)
  }

  /** The number of open monitors and calls. */
  get size (): number {
    return this.#watchers.size + this.#calls.size
  }

  #to (pid: Pid): Side | undefined {
    return this.alone ? undefined : this.#wire.sideOf(pid)
  }

  send (
    to: Pid, topic: string, payload: unknown, from: Pid | undefined, call?: PendingCall
  ): boolean {
    const other = this.#to(to)
    if (other === undefined) return false
    try {
      payload = structuredClone(payload)
    } catch {
      return false
    }
    this.#wire.later(() => {
      other.here.deliver(to, topic, payload, from, call && this.#answer(call))
    })
    if (call === undefined) return true
    this.#calls.set(call, to)
    const over = (): void => { this.#calls.delete(call) }
    call.promise.then(over, over)
    return true
  }

  #answer (call: PendingCall): Answer {
    const later = (task: () => void): void => { this.#wire.later(task) }
    return {
      reply: (value) => { later(() => { call.reply(value) }) },
      fail: (error) => { later(() => { call.fail(error) }) },
      reject: (error) => { later(() => { call.reject(error) }) }
    }
  }

  exit (to: Pid, reason: string, from?: Pid): boolean {
    const other = this.#to(to)
    if (other !== undefined) this.#wire.later(() => { other.here.exit(to, reason, from) })
    return other !== undefined
  }

  cancel (to: Pid, reason: string, from: Pid | undefined): boolean {
    const other = this.#to(to)
    if (other !== undefined) this.#wire.later(() => { other.here.cancel(to, reason, from) })
    return other !== undefined
  }

  monitor (target: Pid, watcher: ExitListener): void {
    const other = this.#to(target)
    if (other === undefined) watcher.targetEnded({ pid: target, reason: 'noconnection' })
    else {
      const proxy = this.#proxy(target, watcher)
      this.#wire.later(() => { other.here.monitor(target, proxy) })
    }
  }

  #proxy (target: Pid, watcher: ExitListener, exitSeen = (exit: Exit) => exit): ExitListener {
    const proxies = this.#watchers.get(target) ?? new Map<ExitListener, ExitListener>()
    this.#watchers.set(target, proxies)
    const proxy: ExitListener = {
      targetEnded: (exit) => {
        const crossing = exitSeen(exit)
        this.#wire.later(() => {
          if (this.#forget(target, watcher) === proxy) watcher.targetEnded(crossing)
        })
      }
    }
    proxies.set(watcher, proxy)
    return proxy
  }

  #forget (target: Pid, watcher: ExitListener): ExitListener | undefined {
    const proxies = this.#watchers.get(target)
    const proxy = proxies?.get(watcher)
    proxies?.delete(watcher)
    if (proxies?.size === 0) this.#watchers.delete(target)
    return proxy
  }

  demonitor (target: Pid, watcher: ExitListener): void {
    const proxy = this.#forget(target, watcher)
    const other = this.#to(target)
    if (proxy !== undefined && other !== undefined) {
      this.#wire.later(() => {
        other.here.demonitor(target, proxy)
      })
    }
  }

  link (here: Pid, there: Pid): void {
    const other = this.#to(there)
    if (other === undefined) this.here.remoteLinkEnded(here, { pid: there, reason: 'noconnection' })
    else {
      this.#wire.later(() => {
        if (!other.here.addRemoteLink(there, here)) {
          this.#wire.later(() => {
            this.here.remoteLinkEnded(here, { pid: there, reason: 'noproc' })
          })
        }
      })
    }
  }

  unlink (here: Pid, there: Pid): void {
    const other = this.#to(there)
    if (other !== undefined) this.#wire.later(() => { other.here.removeRemoteLink(there, here) })
  }

  localLinkEnded (exit: Exit, there: Pid): void {
    const other = this.#to(there)
    if (other !== undefined) this.#wire.later(() => { other.here.remoteLinkEnded(there, exit) })
  }

  bind (target: Pid, watcher: ExitListener): Promise<BindResult> {
    const other = this.#to(target)
    if (other === undefined) return Promise.resolve(failure('its node cannot be reached'))
    return new Promise((resolve) => {
      this.#wire.later(() => {
        const problem = other.alone ? 'its node cannot be reached' : other.here.bindProblem(target)
        if (problem !== undefined) {
          this.#wire.later(() => { resolve(failure(problem)) })
          return
        }
        const bound = new DirectTarget(this.#wire, other, target)
        other.here.monitor(target, this.#proxy(target, watcher, (exit) => bound.exitSeen(exit)))
        this.#wire.later(() => { resolve(success(bound)) })
      })
    })
  }

  lost (node: string): void {
    for (const [call, to] of [...this.#calls]) {
      if (nodeOf(to) === node) call.targetEnded({ pid: to, reason: 'noconnection' })
    }
    for (const entity of [...this.#runtime.processTable.entities]) {
      for (const peer of [...this.#runtime.relations.linksOf(entity.pid)]) {
        if (nodeOf(peer) === node) {
          this.here.remoteLinkEnded(entity.pid, { pid: peer, reason: 'noconnection' })
        }
      }
    }
    for (const [target, proxies] of [...this.#watchers]) {
      if (nodeOf(target) !== node) continue
      this.#watchers.delete(target)
      for (const watcher of proxies.keys()) {
        watcher.targetEnded({ pid: target, reason: 'noconnection' })
      }
    }
  }
}

/** A remote process that a connection is bound to. */
class DirectTarget implements Target {
  readonly pid: Pid
  readonly kind = 'process'
  readonly trapLinks = false
  readonly refusesMail = false
  congested = false
  readonly #wire: Wire
  readonly #other: Side
  readonly #feeders = new Set<Producer>()
  /** The clients whose join has arrived. */
  #client: Pid | undefined

  constructor (wire: Wire, other: Side, pid: Pid) {
    this.#wire = wire
    this.#other = other
    this.pid = pid
  }

  deliver (topic: string, payload: unknown, from: Pid | undefined): boolean {
    this.#wire.later(() => { this.#other.here.deliver(this.pid, topic, payload, from) })
    return true
  }

  /** The exit as the node of the connection gets it. */
  exitSeen (exit: Exit): Exit {
    if (this.#client !== undefined && tookJoin(exit, this.#client)) return exit
    const crossing = { ...exit }
    recordUnreadJoins(crossing)
    return crossing
  }

  accept (topic: string, payload: unknown, from: Pid, bytes: number): boolean {
    this.#wire.later(() => {
      if (topic === 'ws.join' && this.#other.here.bindProblem(this.pid) === undefined) {
        this.#client = from
      }
      const isFull = this.#other.here.accept(this.pid, topic, payload, from, bytes)
      if (isFull === undefined) this.#other.here.countRefused(1)
      if (isFull !== true || this.congested) return
      this.congested = true
      this.#other.here.subscribeToDrain(this.pid, {
        resume: () => {
          this.#wire.later(() => {
            this.#resume()
          })
        }
      })
    })
    return true
  }

  #resume (): void {
    this.congested = false
    for (const feeder of this.#feeders) {
      this.#feeders.delete(feeder)
      feeder.resume()
      if (this.congested) return
    }
  }

  subscribeToDrain (feeder: Producer): void {
    this.#feeders.add(feeder)
  }

  unsubscribeFromDrain (feeder: Producer): void {
    this.#feeders.delete(feeder)
  }

  notify (): void {}
  end (): void {}
  linkFailed (): void {}
  cancel (): boolean { return false }
  describe (): never { throw new Error('it is remote') }
}
