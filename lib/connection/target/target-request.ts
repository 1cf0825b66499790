import { failure, success } from '../../shared/result.js'
import { errorCodes } from '../../errors.js'
import { beginsAddress } from '../../process/keyed/address.js'
import { Instance } from '../../process/keyed/instance.js'
import { RemoteInstance } from '../../process/keyed/start.js'
import { Binding } from './binding.js'
import type { Result } from '../../shared/result.js'
import type { Target, TargetProblem } from '../../process/entity.js'
import type { KeyHolder } from '../../process/keyed/key.js'
import type { KeyRefusal } from '../../process/keyed/key-error.js'
import type { Kinds } from '../../process/keyed/kinds.js'
import type { StartWaiter } from '../../process/keyed/start.js'
import type { BindResult, KeyProblem } from '../../process/remote/remote-nodes.js'
import type { BindingHost, TargetBinding } from './binding.js'

/** Problems of a process that is not the process of its key any more. */
const stopped: ReadonlySet<string> = new Set<TargetProblem>(['it is not alive', 'it is stopping'])
const unavailable = new errorCodes.FST_CLUSTER_UNAVAILABLE().code

/** Asks for a target that is not known at once. */
export interface TargetRequest {
  /** Another node, or the start of the process of a key. */
  readonly waitsFor: 'node' | 'key'
  /** Stands between the connection and its target; undefined for a target of this node. */
  readonly binding: TargetBinding | undefined
  /** @param answered called once, unless the request is released before */
  requestBinding (answered: (answer: BindResult) => void): void
  /** Gives the request up, or the binding. */
  release (): void
}

/** The parts of the runtime that requests use. */
export interface TargetRequestHost extends BindingHost {
  readonly kinds: Kinds
}

/**
 * @param target a PID, a name, or the address of a key, whose process is started if there is none
 * @returns undefined if the target can be looked up at once
 */
export function requestTarget (host: TargetRequestHost, target: string): TargetRequest | undefined {
  if (!beginsAddress(target)) return Binding.ifRemote(host, target)
  const found = host.kinds.demand(target)
  if (found === undefined) return undefined
  const isReady = found.ok && found.value instanceof Instance && found.value.hasStarted
  return isReady ? undefined : new StartRequest(host, target, found)
}

/** How often another node is asked because the process of the key has stopped meanwhile. */
const maxTries = 5

/**
 * Waits for the start of the process of a key, on any node. The process goes on if the request is
 * released.
 */
class StartRequest implements TargetRequest, StartWaiter {
  readonly waitsFor = 'key'
  /** Present when the process is on another node. */
  binding: Binding | undefined
  readonly #host: TargetRequestHost
  readonly #address: string
  #found: Result<KeyHolder, KeyRefusal>
  #answered: ((answer: BindResult) => void) | undefined
  #tries = 0

  constructor (host: TargetRequestHost, address: string, found: Result<KeyHolder, KeyRefusal>) {
    this.#host = host
    this.#address = address
    this.#found = found
  }

  requestBinding (answered: (answer: BindResult) => void): void {
    this.#answered = answered
    if (this.#found.ok) this.#found.value.whenStarted(this)
    else this.#answer(this.#found)
  }

  #answer (answer: BindResult): void {
    const answered = this.#answered
    this.#answered = undefined
    answered?.(answer)
  }

  started (process: Target | RemoteInstance): void {
    if (this.#answered === undefined) return
    if (process instanceof RemoteInstance) this.#bind(process)
    else this.#answer(success(process))
  }

  #bind ({ pid }: RemoteInstance): void {
    const binding = this.binding = Binding.ifRemote(this.#host, pid)!
    binding.requestBinding((answer) => {
      const hasStopped = !answer.ok && stopped.has(answer.problem)
      if (!hasStopped || ++this.#tries > maxTries) return this.#answer(answer)
      // The news that it has stopped came before this answer, so the key knows it.
      binding.release()
      this.binding = undefined
      this.#found = this.#host.kinds.demand(this.#address)!
      this.requestBinding(this.#answered!)
    })
  }

  startFailed (error: Error | undefined, problem?: KeyProblem): void {
    const isUnavailable = (error as { code?: unknown } | undefined)?.code === unavailable
    const failed = isUnavailable ? 'the cluster is unavailable' : 'its start has failed'
    this.#answer(failure(problem ?? failed))
  }

  release (): void {
    this.#answered = undefined
    this.binding?.release()
  }
}
