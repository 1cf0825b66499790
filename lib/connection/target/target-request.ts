import { failure, success } from '../../shared/result.js'
import { beginsAddress } from '../../process/keyed/address.js'
import { Binding } from './binding.js'
import type { Result } from '../../shared/result.js'
import type { Instance, StartWaiter } from '../../process/keyed/instance.js'
import type { Kinds } from '../../process/keyed/kinds.js'
import type { BindResult, KeyProblem } from '../../process/remote/remote-nodes.js'
import type { BindingHost, TargetBinding } from './binding.js'

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
  return found === undefined || (found.ok && found.value.hasStarted)
    ? undefined
    : new StartRequest(found)
}

/** Waits for the start of the process of a key. The process goes on if it is released. */
class StartRequest implements TargetRequest, StartWaiter {
  readonly waitsFor = 'key'
  readonly binding = undefined
  readonly #found: Result<Instance, KeyProblem>
  #answered: ((answer: BindResult) => void) | undefined

  constructor (found: Result<Instance, KeyProblem>) {
    this.#found = found
  }

  requestBinding (answered: (answer: BindResult) => void): void {
    if (!this.#found.ok) return answered(this.#found)
    this.#answered = answered
    this.#found.value.whenStarted(this)
  }

  started (instance: Instance): void {
    this.#answered?.(success(instance))
  }

  startFailed (): void {
    this.#answered?.(failure('its start has failed'))
  }

  release (): void {
    this.#answered = undefined
  }
}
