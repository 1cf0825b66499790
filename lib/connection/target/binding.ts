import { failure } from '../../shared/result.js'
import { problemOf } from '../../process/remote/remote-nodes.js'
import type { ClusterAccess } from '../../process/remote/cluster-access.js'
import type { FailureLog } from '../../process/exits/failure-log.js'
import type { BindResult, RemoteNodes } from '../../process/remote/remote-nodes.js'
import type { TargetExit, ExitListener } from '../../process/exits/relations.js'
import type { Pid } from '../../../types/pid.js'

/** The connection of a binding. */
export interface BindingConnection extends ExitListener {
  readonly pid: Pid
}

/** Stands between a connection and a target that is more than a process of this node. */
export interface TargetBinding {
  /** Whether the target is a process of another node. */
  readonly isRemote: boolean
  /** From now on the connection receives the exit of the target. */
  attachConnection (connection: BindingConnection): void
  /** Called when the connection has left the target. */
  release (): void
}

/** The parts of the runtime that a binding uses. */
export interface BindingHost {
  readonly clusterAccess: ClusterAccess
  readonly failureLog: FailureLog
}

/**
 * Binds a connection to a process of another node. That node is asked first. Until it has answered,
 * there is no connection yet, and the target may end or the binding may be released.
 */
export class Binding implements TargetBinding, ExitListener {
  readonly isRemote = true
  readonly waitsFor = 'node'
  readonly #log: FailureLog
  readonly #remoteNodes: RemoteNodes
  readonly #target: Pid
  #connection: ExitListener | undefined
  /** Set when the target has ended. */
  #exit: TargetExit | undefined
  #isReleased = false

  constructor (log: FailureLog, remoteNodes: RemoteNodes, target: Pid) {
    this.#log = log
    this.#remoteNodes = remoteNodes
    this.#target = target
  }

  /** @returns undefined if the target is a process of this node */
  static ifRemote (host: BindingHost, target: string): Binding | undefined {
    const remoteNodes = host.clusterAccess.remoteNodesFor(target)
    return remoteNodes && new Binding(host.failureLog, remoteNodes, target as Pid)
  }

  /**
   * Asks the other node whether the target can be bound, and monitors the target.
   * @param answered called once, unless the binding is released before
   */
  requestBinding (answered: (answer: BindResult) => void): void {
    this.#remoteNodes.bind(this.#target, this).then((answer) => {
      if (this.#isReleased) {
        if (answer.ok) this.#demonitorTarget()
      } else if (this.#exit === undefined) answered(answer)
      else answered(failure(problemOf(this.#exit)))
    }, (err: unknown) => {
      this.#log.logFailure(this.#target, err, 'a process of another node could not be asked')
      if (!this.#isReleased) answered(failure('its node cannot be reached'))
    })
  }

  get binding (): this {
    return this
  }

  /**
   * From now on the connection receives the exit of the target. Call it synchronously in
   * `answered`, so that no exit is missed.
   */
  attachConnection (connection: ExitListener): void {
    this.#connection = connection
  }

  targetEnded (exit: TargetExit): void {
    this.#exit = exit
    this.#connection?.targetEnded(exit)
  }

  /** Ends the binding on both nodes. */
  release (): void {
    this.#isReleased = true
    this.#connection = undefined
    this.#demonitorTarget()
  }

  #demonitorTarget (): void {
    if (this.#exit === undefined) this.#remoteNodes.demonitor(this.#target, this)
  }
}
