import type { Answer } from '../calls.js'
import type { KeyProblem } from './remote-nodes.js'
import type { Pid } from '../../../types/pid.js'

/** A call with this topic is a request about a key. It goes to the node, and to no process. */
export const keyTopic = '@key'

/** Answers a request about a key, once. */
export type KeyAnswer = Pick<Answer, 'reply' | 'reject'>

/**
 * Names another node as the place of a key: `0@node.incarnation`. No process has the serial number
 * 0, so nobody can send to it.
 */
export type KeyNode = Pid

/** A request about a key, which its node answers. */
export type KeyRequest =
  /** Start the process. Answered when that has succeeded. */
  | { readonly do: 'start', readonly address: string }
  /** Answered when this instance takes no more mail. */
  | { readonly do: 'watch', readonly pid: Pid }
  /** Stop the process. Answered when it has ended. */
  | { readonly do: 'stop', readonly address: string }

/** The answer to `start`. Without any field: that node does not know the kind. */
export interface KeyStart {
  readonly pid?: Pid
  /** This node is not the place of the key: ask that one. */
  readonly node?: KeyNode
  /** Why nothing starts. If the body has failed, the answer is its error instead. */
  readonly problem?: KeyProblem
}

/**
 * Knows which node is the place of a key: its processes start there. A cluster with a register
 * implements it. Without one, each node is the place of its own keys.
 */
export interface KeyDirectory {
  /** This node, as the other nodes name it. */
  readonly self: KeyNode
  /**
   * Makes this node the place of a key unless another node is. It stays the place until `release`,
   * or until its lease is lost: `Kinds.nameLost` is called then.
   * @returns undefined when it is the place, otherwise the other node
   * @throws `FST_CLUSTER_UNAVAILABLE`
   */
  claim (address: string): Promise<KeyNode | undefined>
  /** The node that is the place of a key, if there is one. @throws `FST_CLUSTER_UNAVAILABLE` */
  lookup (address: string): Promise<KeyNode | undefined>
  /** This node is not the place any more. Idempotent. */
  release (address: string): void
  /**
   * The node that the hash of a key names.
   * @param unfit nodes that cannot be the place
   * @returns undefined for this node
   */
  spread (address: string, unfit: ReadonlySet<KeyNode>): KeyNode | undefined
  /**
   * Asks another node. There is no timeout.
   * @throws the error of that node, and `FST_CLUSTER_UNAVAILABLE` when it is lost
   */
  request (node: KeyNode, request: KeyRequest): Promise<unknown>
  /**
   * Watches a process of another node.
   * @param stopped called once, when it takes no more mail or its node is lost. No promise, because
   * the refusals that this node sends after the news may be handled in the same turn
   */
  watch (pid: Pid, stopped: () => void): void
}

/** The node of a PID, as the place of a key. */
export function nodeOf (pid: Pid): KeyNode {
  return `0${pid.slice(pid.indexOf('@'))}` as KeyNode
}
