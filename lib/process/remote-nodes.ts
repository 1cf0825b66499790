import type { Answer } from './calls.js'
import type { Target } from './entity.js'
import type { Producer } from './actor/mailbox.js'
import type { TargetExit, ExitListener } from './exits/relations.js'
import type { TargetProblem } from './target.js'
import type { Exit } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'

/** Why a connection cannot be bound to something elsewhere. */
export type RemoteProblem = TargetProblem | 'its node cannot be reached' | 'its node is closing'

/** Why a connection cannot be bound to a target that ended before the binding was complete. */
export function problemOf ({ reason, nodeClosing }: TargetExit): RemoteProblem {
  if (nodeClosing === true) return 'its node is closing'
  return reason === 'noconnection' ? 'its node cannot be reached' : 'it is not alive'
}

/**
 * The way to the processes of other nodes: the one seam between a process system and a cluster. A
 * system without one is alone, and every other node is out of reach. All that crosses it is plain
 * data. Each method is given a PID of another node and never throws for what happens on the way.
 */
export interface RemoteNodes {
  /**
   * @param call answered by the other node. It watches the callee by itself from after this on, and
   * settles its promise in every case: nothing is kept of it after that
   * @returns whether the channel took it
   */
  send (to: Pid, topic: string, payload: unknown, from: Pid | undefined, call?: Answer & ExitListener): boolean
  exit (to: Pid, reason: string): boolean
  cancel (to: Pid, reason: string, from: Pid | undefined): boolean
  /** Tells the watcher once of the end of the target, or of its node (`noconnection`). */
  monitor (target: Pid, watcher: ExitListener): void
  demonitor (target: Pid, watcher: ExitListener): void
  /** Links a process of this node with one elsewhere. Idempotent. */
  link (here: Pid, there: Pid): void
  /** Holds at once. Idempotent. */
  unlink (here: Pid, there: Pid): void
  /** A process of this node that was linked with one elsewhere has ended. */
  localLinkEnded (exit: Exit, there: Pid): void
  /**
   * Asks whether a connection can be bound to a process, and watches it in the same step. The
   * target takes `ws.*` messages in order, and is `congested` while its mailbox, or the channel to
   * it, is; when the answer is a problem the watcher is not told anything. The exit of a target that
   * had not taken the connection's `ws.join` carries that: see `recordUnreadJoins`.
   */
  bind (target: Pid, watcher: ExitListener): Promise<Target | RemoteProblem>
}

/** What other nodes do to the processes of this one; they never throw for a PID that is dead. */
export interface LocalNode {
  /**
   * A message that may be refused. A call that is refused is rejected with what a caller of this
   * node would get; one that was accepted is answered by the callee, or never: the caller watches it.
   * @returns whether it was accepted
   */
  deliver (to: Pid, topic: string, payload: unknown, from: Pid | undefined, call?: Answer): boolean
  /**
   * One message to many processes and connections. Connections share an encoding, and its payload.
   * @param again decodes the payload once more: each process gets its own
   */
  deliverToMany (to: readonly Pid[], topic: string, payload: unknown, again: () => unknown, from: Pid | undefined): void
  /** So many messages did not reach it: a connection ends, or counts them. */
  missed (pid: Pid, count: number): void
  /** Any connection of this node may have missed messages. */
  missedByAll (): void
  /** A connection's message: never refused. @returns whether its sockets should wait */
  accept (to: Pid, topic: string, payload: unknown, from: Pid, bytes: number): boolean
  /** Has the feeder resumed when a mailbox has room again; at once when nobody is there. */
  subscribeToDrain (to: Pid, feeder: Producer): void
  unsubscribeFromDrain (to: Pid, feeder: Producer): void
  exit (to: Pid, reason: string): boolean
  cancel (to: Pid, reason: string, from: Pid | undefined): boolean
  monitor (target: Pid, watcher: ExitListener): void
  demonitor (target: Pid, watcher: ExitListener): void
  /** A process elsewhere links with one here. @returns false when that is dead */
  addRemoteLink (here: Pid, there: Pid): boolean
  removeRemoteLink (here: Pid, there: Pid): void
  /** A process elsewhere that is linked with one here has ended, or cannot be reached any more. */
  remoteLinkEnded (here: Pid, exit: Exit): void
  /** Whether connections can be bound to it; undefined: they can. */
  bindProblem (target: Pid): RemoteProblem | undefined
}
