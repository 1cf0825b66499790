import { recordUnreadJoins } from '../../../lib/process/exits/unread-joins.js'
import type { Answer } from '../../../lib/process/calls.js'
import type { Producer } from '../../../lib/shared/watermark.js'
import type { UnreadMail } from '../../../lib/process/exits/unread-joins.js'
import type { ExitListener } from '../../../lib/process/exits/relations.js'
import type { KeyAnswer } from '../../../lib/process/remote/key-directory.js'
import type { RemoteNodes, LocalNode, RemoteProblem } from '../../../lib/process/remote/remote-nodes.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** The node and incarnation of a PID. */
export function homeOf (pid: Pid): string {
  return pid.slice(pid.indexOf('@') + 1)
}

/** Records what was delivered. */
export interface Ledger {
  delivered (from: Pid, to: Pid, id: number): void
  broadcast (to: Pid, id: number): void
  fault (text: string): void
}

interface ModelProcess {
  readonly watchers: Set<ExitListener>
  readonly links: Set<Pid>
}

/** A minimal model of the processes of one node. */
export class ModelHere implements LocalNode {
  readonly spans = undefined
  readonly processes = new Map<Pid, ModelProcess>()
  /** Clients whose `ws.join` waits in a mailbox. */
  readonly unread = new Set<Pid>()
  /** Set for processes of keys: the mail of a client that its next process gets. */
  takeMail: ((client: Pid) => readonly UnreadMail[] | undefined) | undefined
  /** The part of its PIDs after the serial number. Known when the node has started. */
  suffix = ''
  readonly #ledger: Ledger
  remoteNodes: RemoteNodes | undefined
  #serial = 0

  constructor (ledger: Ledger) {
    this.#ledger = ledger
  }

  spawn (): Pid {
    const pid = `${++this.#serial}${this.suffix}` as Pid
    this.processes.set(pid, { watchers: new Set(), links: new Set() })
    return pid
  }

  alive (): Pid[] {
    return [...this.processes.keys()]
  }

  end (pid: Pid, reason: string): void {
    const process = this.processes.get(pid)
    if (process === undefined) return
    this.processes.delete(pid)
    const exit: Exit = { pid, reason }
    recordUnreadJoins(exit, this.takeMail === undefined
      ? this.unread
      : { has: (client) => this.unread.has(client), takeMail: this.takeMail })
    for (const there of process.links) this.remoteNodes!.localLinkEnded(exit, there)
    for (const watcher of process.watchers) watcher.targetEnded(exit)
  }

  deliver (
    to: Pid,
    topic: string,
    payload: unknown,
    from: Pid | undefined,
    call?: Answer
  ): boolean {
    if (!this.processes.has(to)) return false
    const { id } = payload as { id: number }
    if (from !== undefined && topic === 'message') this.#ledger.delivered(from, to, id)
    if (call !== undefined) call.reply({ answer: id })
    if (topic === 'last') this.end(to, 'asked')
    return true
  }

  deliverToMany (
    to: readonly Pid[],
    topic: string,
    _payload: unknown,
    again: () => unknown,
    from: Pid | undefined
  ): void {
    for (const pid of to) this.deliver(pid, topic, again(), from)
  }

  missed (_pid: Pid, _count: number): void {}

  missedByAll (): void {}

  accept (
    to: Pid, topic: string, payload: unknown, from: Pid, bytes: number
  ): boolean | undefined {
    const { data } = payload as { data: string }
    if (bytes !== data.length) {
      this.#ledger.fault(`a client sent ${data.length} bytes, not ${bytes}`)
    }
    this.#ledger.delivered(from, to, Number(data))
    return false
  }

  countRefused (_count: number): void {}

  subscribeToDrain (to: Pid, feeder: Producer): void {
    feeder.resume()
  }

  unsubscribeFromDrain (): void {}

  exit (to: Pid, reason: string): boolean {
    this.end(to, reason)
    return true
  }

  findingsOf (): undefined {}

  cancel (to: Pid, reason: string): boolean {
    this.end(to, reason)
    return true
  }

  monitor (target: Pid, watcher: ExitListener): void {
    const process = this.processes.get(target)
    if (process === undefined) watcher.targetEnded({ pid: target, reason: 'noproc' })
    else process.watchers.add(watcher)
  }

  demonitor (target: Pid, watcher: ExitListener): void {
    this.processes.get(target)?.watchers.delete(watcher)
  }

  addRemoteLink (here: Pid, there: Pid): boolean {
    const process = this.processes.get(here)
    if (process === undefined) return false
    if (process.links.has(there)) this.#ledger.fault(`${here} was linked twice with ${there}`)
    process.links.add(there)
    return true
  }

  removeRemoteLink (here: Pid, there: Pid): void {
    this.processes.get(here)?.links.delete(there)
  }

  remoteLinkEnded (here: Pid, exit: Exit): void {
    const process = this.processes.get(here)
    if (process !== undefined && !process.links.delete(exit.pid)) {
      this.#ledger.fault(`${here} was told of the end of ${exit.pid}, which it is not linked with`)
    }
  }

  answerKeyRequest (_request: unknown, _node: string, answer: KeyAnswer): void {
    answer.reply({})
  }

  bindProblem (target: Pid): RemoteProblem | undefined {
    return this.processes.has(target) ? undefined : 'it is not alive'
  }

  broadcast (members: readonly Pid[], payload: unknown): number {
    for (const pid of members) this.#ledger.broadcast(pid, (payload as { id: number }).id)
    return members.length
  }
}
