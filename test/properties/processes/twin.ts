// A process system and its model. An operation must have the same result in both.
import { buildRuntime } from '../../process/helpers.js'
import { ManualClock } from '../clock.js'
import { equal, sameSet } from '../suite.js'
import { isOrderly, modelled, smallMailbox, spawnMonitor } from './modelled.js'
import { groups, mostProcesses } from './relation-steps.js'
import type { AnyMessage } from '../../process/helpers.js'
import type { Exit, SystemTopics } from '../../../types/messages.js'
import type { Monitor, Pid } from '../../../types/pid.js'
import type { Process, Processes } from '../../../types/processes.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { Modelled } from './modelled.js'
import type { Operation } from './relation-steps.js'

/** The real system and its model. An operation must have the same result in both. */
export class Twin {
  readonly clock = new ManualClock()
  readonly runtime: Runtime
  readonly processes: Processes
  readonly all: Modelled[] = []
  readonly names = new Map<string, Modelled>()
  readonly members: Record<string, Map<Modelled, number>> = { g: new Map(), h: new Map() }
  #sent = 0
  /** An exit is being applied: an end is no normal end of a body. */
  #exits = false

  constructor () {
    const { runtime, processes } = buildRuntime({ clock: this.clock })
    this.runtime = runtime
    this.processes = processes
  }

  /** Maps each number to a process. */
  at (number: number): Modelled | undefined {
    return this.all[number % this.all.length]
  }

  /** @param handler the process in whose handler this happens */
  do (operation: Operation, handler?: Modelled): void {
    if (operation.kind === 'spawn') {
      if (this.all.length < mostProcesses) this.#spawn(operation)
      return
    }
    const one = this.at(operation.one)!
    const other = this.at(operation.other)!
    if (one.self === undefined || (!one.alive && operation.kind !== 'send')) return
    const { self } = one
    // Processes may have started since the step was sent, so that its number means another one.
    const inside = handler === one
    switch (operation.kind) {
      case 'send':
        for (let i = 0; i < operation.times; i++) this.#send(one, other)
        break
      case 'link':
        this.#link(one, other)
        break
      case 'unlink':
        self.unlink(other.pid)
        one.links.delete(other)
        other.links.delete(one)
        break
      case 'monitor':
        this.#monitor(one, other, self.monitor(other.pid))
        break
      case 'demonitor':
        // As with 'watch': the loop may have received an @exit that it has not seen yet.
        if (!inside && !one.shape.startsWith('serve')) return
        this.#demonitor(one, self)
        break
      case 'name':
        this.#name(other)
        break
      case 'unname':
        equal(this.processes.names.unregister('name'), this.names.delete('name'))
        break
      case 'trap':
        self.trapLinks = !one.trap
        one.trap = !one.trap
        break
      case 'join': {
        const members = this.members[operation.group]
        equal(this.processes.groups.join(operation.group, other.pid), other.alive)
        if (other.alive) members.set(other, (members.get(other) ?? 0) + 1)
        break
      }
      case 'leave': {
        const members = this.members[operation.group]
        const times = members.get(other) ?? 0
        equal(this.processes.groups.leave(operation.group, other.pid), times > 0)
        if (times > 1) members.set(other, times - 1)
        else members.delete(other)
        break
      }
      case 'watch': {
        // Another loop may have received an update that it has not seen yet. It must watch again
        // itself.
        if (!inside && !one.shape.startsWith('serve')) return
        const snapshot = self.groups.watch(operation.group, one.pid)
        sameSet(snapshot, this.membersOf(operation.group))
        one.views.set(operation.group, new Set(snapshot))
        break
      }
      case 'unwatch':
        if (!inside && !one.shape.startsWith('serve')) return
        self.groups.unwatch(operation.group, one.pid)
        one.views.delete(operation.group)
        break
      case 'broadcast':
        this.#broadcast(one, operation.group)
        break
      case 'exit':
        this.#exits = true
        equal(other.alive, self.exit(other.pid, operation.reason))
        this.#exits = false
        this.#end(other, operation.reason === 'kill' ? 'killed' : operation.reason)
        break
      case 'cancel':
        equal(self.cancel(other.pid), other.alive)
        if (other.alive && other.stopReason === undefined) {
          other.stopReason = 'shutdown'
          other.cancelled = true
        }
        break
      case 'stop':
        if (one.stopReason !== undefined) return
        try {
          self.stop('enough')
        } catch {}
        one.stopReason = 'enough'
        one.stoppedAt = one.seen.length
    }
  }

  #spawn ({
    one,
    other,
    link,
    monitor,
    trap,
    named,
    small,
    shape
  }: Extract<Operation, { kind: 'spawn' }>): void {
    const linked = link ? this.at(one) : undefined
    const watching = monitor && this.at(other)?.alive === true ? this.at(other) : undefined
    const limit = small ? smallMailbox : 10_000
    const { size: alive } = this.runtime.processTable
    let pid: Pid
    try {
      pid = this.processes.spawn(
        (self) => {
          process.self = self
          this.#compareOne(process)
          equal(process.alive, true, 'a body that runs')
          return this.#live(process, self)
        },
        {
          trapLinks: trap,
          mailboxLimit: limit,
          ...(named && { name: 'name' }),
          ...(linked && { link: linked.pid }),
          ...(watching && { monitor: watching.pid })
        }
      )
    } catch (err) {
      equal((err as { code: string }).code, 'FST_PROCESS_NAME_TAKEN')
      equal(named && this.names.has('name'), true)
      equal(this.runtime.processTable.size, alive)
      return
    }
    const process = modelled({ pid, shape, limit, trap }, (exit) => { this.#ended(process, exit) })
    if (named) {
      equal(this.names.has('name'), false)
      this.names.set('name', process)
    }
    this.all.push(process)
    // The number of a monitor of SpawnOptions is known from its message only.
    if (watching !== undefined) this.#monitor(watching, process, spawnMonitor(process))
    if (linked !== undefined) this.#linked(process, linked)
    this.runtime.exitSignals.monitor(pid, process.watcher)
  }

  async #live (process: Modelled, self: Process): Promise<void> {
    if (process.shape === 'serve') {
      return await self.serve({}, (message) => {
        this.#see(process, message)
      })
    }
    if (process.shape === 'serve slowly') {
      return await self.serve({}, async (message) => {
        this.#see(process, message)
        await null
      })
    }
    let goesOn = true
    while (goesOn) {
      goesOn = false
      for await (const message of self.inbox) {
        this.#see(process, message)
        goesOn = process.shape === 'loop again'
        if (goesOn) break
      }
    }
  }

  #see (process: Modelled, message: AnyMessage): void {
    process.seen.push(message)
    const { topic, payload } = message
    if (topic === 'do') this.do(payload as never, process)
    else if (topic === '@group' && process.alive) {
      this.#heard(process, payload as SystemTopics['@group'])
    }
  }

  /** An update must fit the members that the watcher knows. */
  #heard ({ views }: Modelled, { group, joined, left }: SystemTopics['@group']): void {
    const view = views.get(group)
    if (view === undefined) throw new Error('an update of a group that is not watched')
    for (const pid of joined) {
      equal(left.includes(pid), false, 'an update that undoes itself')
      equal(view.has(pid), false, 'a member that joins again')
      view.add(pid)
    }
    for (const pid of left) equal(view.delete(pid), true, 'a member that leaves')
  }

  membersOf (group: string): Pid[] {
    return Array.from(this.members[group].keys(), ({ pid }) => pid)
  }

  #takesMail (to: Modelled): boolean {
    const { alive, stopReason, limit, pid } = to
    return alive && stopReason === undefined && this.processes.info(pid)!.mailbox < limit
  }

  #broadcast (from: Modelled, group: string): void {
    const payload = ++this.#sent
    const receivers = [...this.members[group].keys()].filter(
      (to) => to !== from && this.#takesMail(to)
    )
    equal(
      from.self!.groups.broadcast(group, 'mail', payload, { except: from.pid }),
      receivers.length
    )
    for (const to of receivers) {
      to.accepted.push({ topic: 'mail', payload, from: from.pid } as AnyMessage)
    }
  }

  #send (from: Modelled, to: Modelled): void {
    const payload = ++this.#sent
    const accepted = from.alive && this.#takesMail(to)
    equal(
      from.self!.send(this.names.get('name') === to ? 'name' : to.pid, 'mail', payload),
      accepted
    )
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
      if (one.stopReason === undefined) one.linkDowns++
    } else this.#end(one, 'noproc')
  }

  #monitor (one: Modelled, other: Modelled, id: Monitor): void {
    if (other.alive) one.monitors.set(id, other)
    else if (one.stopReason === undefined) one.expectedExits.set(id, other)
  }

  #demonitor (one: Modelled, self: Process): void {
    const ids = [...one.monitors.keys(), ...one.expectedExits.keys()].filter((id) => id > 0)
    if (ids.length === 0) return
    const id = ids[ids.length - 1]
    self.demonitor(id)
    one.monitors.delete(id)
    const isIt = ({ topic, payload }: AnyMessage): boolean =>
      topic === '@exit' && (payload as { monitor: Monitor }).monitor === id
    if (!one.seen.some(isIt)) one.expectedExits.delete(id)
  }

  #name (other: Modelled): void {
    try {
      this.processes.names.register('name', other.pid)
      equal(other.alive && !this.names.has('name'), true)
      this.names.set('name', other)
    } catch (err) {
      equal(
        (err as { code: string }).code,
        other.alive ? 'FST_PROCESS_NAME_TAKEN' : 'FST_PROCESS_NOT_ALIVE'
      )
      equal(other.alive && !this.names.has('name'), false)
    }
  }

  /** Applies an exit to the model, at once and along the links. */
  #end (process: Modelled, reason: string): void {
    if (!process.alive) return
    process.alive = false
    process.endedWith = reason
    process.endedAt = process.seen.length
    for (const group of groups) this.members[group].delete(process)
    if (this.names.get('name') === process) this.names.delete('name')
    const peers = [...process.links]
    process.links.clear()
    for (const peer of peers) {
      peer.links.delete(process)
      if (isOrderly(reason)) continue
      if (!peer.trap) this.#end(peer, reason)
      else if (peer.stopReason === undefined) peer.linkDowns++
    }
    for (const watcher of this.all) {
      for (const [id, target] of watcher.monitors) {
        if (target !== process) continue
        watcher.monitors.delete(id)
        if (watcher.stopReason === undefined) watcher.expectedExits.set(id, process)
      }
    }
  }

  /** Checks an exit of the system: the model knew it, or the process was stopping. */
  #ended (process: Modelled, exit: Exit): void {
    process.exits.push(exit)
    const { alive, stopReason } = process
    if (stopReason === undefined || !alive || exit.reason !== stopReason) return
    process.finished = !this.#exits
    this.#end(process, exit.reason)
  }

  async give ({
    turn,
    ms,
    choice
  }: {
    turn: 'soon' | 'later' | 'microtasks'
    ms: number
    choice: number
  }): Promise<void> {
    this.clock.time += ms
    this.clock.choice = choice
    if (turn === 'soon') this.clock.tasks.shift()?.()
    else if (turn === 'later') this.clock.yieldOnce()
    else for (let i = 0; i < 5; i++) await null
  }

  async finish (): Promise<void> {
    this.clock.choice = 0
    for (let idle = 0, laps = 0; idle < 5; laps++) {
      equal(laps < 1000, true, 'it comes to rest')
      idle = !this.clock.busy ? idle + 1 : 0
      this.clock.run()
      this.clock.yieldOnce()
      await this.give({ turn: 'microtasks', ms: 0, choice: 0 })
    }
  }

  /** Compares system and model after every step. */
  compare (): void {
    for (const process of this.all) this.#compareOne(process)
    equal(this.processes.names.lookup('name'), this.names.get('name')?.pid)
    for (const group of groups) {
      sameSet(this.processes.groups.members(group), this.membersOf(group))
    }
    sameSet(
      this.processes.groups.list(),
      groups.filter((group) => this.members[group].size > 0)
    )
  }

  #compareOne (process: Modelled): void {
    const { pid, alive } = process
    equal(this.processes.alive(pid), alive)
    const info = this.processes.info(pid)
    equal(info !== undefined, alive)
    if (info === undefined) return
    sameSet(
      info.links,
      [...process.links].map(({ pid }) => pid)
    )
    sameSet(
      info.monitors,
      [...process.monitors.values()].map(({ pid }) => pid)
    )
    sameSet(
      info.groups,
      groups.filter((group) => this.members[group].has(process))
    )
    sameSet(info.names, this.names.get('name') === process ? ['name'] : [])
  }
}
