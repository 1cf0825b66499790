import type { MessageSpans } from '../../shared/message-spans.js'
import type { Producer } from '../../shared/watermark.js'
import type { Answer } from '../calls.js'
import type { Target, TargetProblem } from '../entity.js'
import type { Findings } from '../explain/findings.js'
import type { ExitListener, TargetExit } from '../exits/relations.js'
import type { Result } from '../../shared/result.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** Why a connection cannot be bound to a process of another node. */
export type RemoteProblem = TargetProblem | 'its node cannot be reached' | 'its node is closing'

/** Why a key has no process that takes mail. */
export type KeyProblem =
  | 'it has failed too often' | 'too many of its kind' | 'nothing can start now'
  | 'its start has failed' | 'the cluster is unavailable'

/** Whether a connection can be bound to a process of another node, or of a key. */
export type BindResult = Result<Target, RemoteProblem | KeyProblem>

/** Why a connection cannot be bound to a target that ended before the binding was complete. */
export function problemOf ({ reason, nodeClosing }: TargetExit): RemoteProblem {
  if (nodeClosing === true) return 'its node is closing'
  return reason === 'noconnection' ? 'its node cannot be reached' : 'it is not alive'
}

/**
 * The processes of the other nodes. Together with `LocalNode`, this is the only seam between a
 * process system and a cluster: without a cluster, no other node can be reached. All data that
 * crosses it is plain. Each method takes a PID of another node. None of them throws because of
 * that node or the way to it.
 */
export interface RemoteNodes {
  /**
   * @param call answered by the other node. The implementation monitors the callee after this
   * message, and settles the call in every case. It keeps no reference to a settled call
   * @returns whether the channel accepted it
   */
  send (
    to: Pid, topic: string, payload: unknown, from: Pid | undefined, call?: Answer & ExitListener
  ): boolean
  exit (to: Pid, reason: string, from?: Pid): boolean
  cancel (to: Pid, reason: string, from: Pid | undefined): boolean
  /** Calls the listener once: when the target ends, or its node is lost (`noconnection`). */
  monitor (target: Pid, listener: ExitListener): void
  demonitor (target: Pid, listener: ExitListener): void
  /** Idempotent. */
  link (local: Pid, remote: Pid): void
  /** Takes effect at once. Idempotent. */
  unlink (local: Pid, remote: Pid): void
  /** Called when a local process with a link to a remote one has ended. */
  localLinkEnded (exit: Exit, remote: Pid): void
  /**
   * Asks whether a connection can be bound to a process, and monitors it in the same step.
   *
   * The target takes `ws.*` messages in order. It is `congested` while its mailbox is, or the
   * channel to it. When the answer is a problem, the listener is not called. If the target ended
   * without taking the `ws.join` of the connection out of its mailbox, its exit says so: see
   * `recordUnreadJoins`.
   */
  bind (target: Pid, listener: ExitListener): Promise<BindResult>
}

/** The processes of this node, for the other nodes. No method throws for a dead PID. */
export interface LocalNode {
  readonly spans: MessageSpans | undefined
  /**
   * Delivers a message that may be refused. A refused call is rejected with the error that a local
   * caller would get. An accepted call is answered by the callee or never: the caller monitors it.
   * @returns whether it was accepted
   */
  deliver (
    to: Pid, topic: string, payload: unknown, from: Pid | undefined, call?: Answer
  ): boolean
  /**
   * Delivers one message to many processes and connections. Connections share the payload and its
   * encoding.
   * @param decodeAgain decodes the payload once more: each process gets a copy of its own
   */
  deliverToMany (
    to: readonly Pid[],
    topic: string,
    payload: unknown,
    decodeAgain: () => unknown,
    from: Pid | undefined
  ): void
  /** `count` messages to it were lost. A connection counts them or ends. */
  missed (pid: Pid, count: number): void
  /** Every connection of this node may have lost messages. */
  missedByAll (): void
  /**
   * Delivers a message of a client. Only a process that is stopping refuses it.
   * @param call of the client: its caller monitors the target
   * @returns whether sockets should pause; undefined if it was refused, which is not counted
   */
  accept (
    to: Pid, topic: string, payload: unknown, from: Pid, bytes: number, call?: Answer
  ): boolean | undefined
  /** Counts messages of clients that no process takes, because the target is or was stopping. */
  countRefused (count: number): void
  /** Calls `producer.resume()` when a mailbox has room again: at once when the target is dead. */
  subscribeToDrain (to: Pid, producer: Producer): void
  unsubscribeFromDrain (to: Pid, producer: Producer): void
  exit (to: Pid, reason: string, from?: Pid): boolean
  cancel (to: Pid, reason: string, from: Pid | undefined): boolean
  monitor (target: Pid, listener: ExitListener): void
  demonitor (target: Pid, listener: ExitListener): void
  /** A remote process links with a local one. @returns false when the local one is dead */
  addRemoteLink (local: Pid, remote: Pid): boolean
  removeRemoteLink (local: Pid, remote: Pid): void
  /** A remote process with a link to a local one has ended, or can no longer be reached. */
  remoteLinkEnded (local: Pid, exit: Exit): void
  /** Why a process of this node has ended; undefined if this node has not made the PID. */
  findingsOf (pid: Pid): Findings | undefined
  /**
   * Answers a request about a key.
   * @param request not validated
   * @param node the name of the node that asks
   */
  answerKeyRequest (request: unknown, node: string, answer: Pick<Answer, 'reply' | 'reject'>): void
  /** Why a connection cannot be bound to this process; undefined when it can. */
  bindProblem (target: Pid): RemoteProblem | undefined
}
