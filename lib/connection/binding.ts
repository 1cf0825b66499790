import { problemOf } from '../process/remote-nodes.js'
import type { RemoteNodes, RemoteProblem } from '../process/remote-nodes.js'
import type { Target } from '../process/entity.js'
import type { TargetExit, ExitListener } from '../process/exits/relations.js'
import type { Runtime } from '../process/runtime.js'
import type { Pid } from '../../types/pid.js'

/**
 * What binds a connection to a process of another node. That is asked before anything is done, so it
 * may end, or be given up, while there is no connection yet.
 */
export class Binding implements ExitListener {
  readonly #runtime: Runtime
  readonly #remoteNodes: RemoteNodes
  readonly #target: Pid
  #connection: ExitListener | undefined
  #exit: TargetExit | undefined
  #isReleased = false

  /** @param elsewhere the way to the node of `target` */
  constructor (runtime: Runtime, elsewhere: RemoteNodes, target: Pid) {
    this.#runtime = runtime
    this.#remoteNodes = elsewhere
    this.#target = target
  }

  /** A bond with a target of another node; undefined: it is none. */
  static ifRemote (runtime: Runtime, target: string): Binding | undefined {
    const elsewhere = runtime.remoteNodesFor(target)
    return elsewhere && new Binding(runtime, elsewhere, target as Pid)
  }

  /** @param answered called once, unless the bond is released before: by then it holds, or there is a problem */
  requestBinding (answered: (answer: Target | RemoteProblem) => void): void {
    this.#remoteNodes.bind(this.#target, this).then((answer) => {
      if (this.#isReleased) {
        if (typeof answer !== 'string') this.#unwatchTarget()
      } else if (this.#exit === undefined) answered(answer)
      else answered(problemOf(this.#exit))
    }, (err: unknown) => {
      this.#runtime.logFailure(this.#target, err, 'a process of another node could not be asked')
      if (!this.#isReleased) answered('its node cannot be reached')
    })
  }

  /** From now on the connection is told. In the same turn as the answer: the end cannot be missed. */
  attachConnection (connection: ExitListener): void {
    this.#connection = connection
  }

  targetEnded (exit: TargetExit): void {
    this.#exit = exit
    this.#connection?.targetEnded(exit)
  }

  /** Nothing remains of it on either side. */
  release (): void {
    this.#isReleased = true
    this.#connection = undefined
    this.#unwatchTarget()
  }

  #unwatchTarget (): void {
    if (this.#exit === undefined) this.#remoteNodes.demonitor(this.#target, this)
  }
}
