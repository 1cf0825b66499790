import type { Answer } from '../process/calls.js'
import type { RemoteProblem } from '../process/remote-nodes.js'
import type { Target } from '../process/entity.js'
import type { Binding } from './binding.js'
import type { ControlChange } from './config.js'

/** A valid `ws.control`, and who waits for its outcome. */
export interface ControlRequest {
  readonly change: ControlChange
  readonly call: Answer | undefined
}

/** The connection that is controlled. */
export interface ControlledConnection {
  /** The target that has to be asked first; undefined: there is none. */
  bindingFor (control: ControlRequest): Binding | undefined
  /** Does it, or refuses it. */
  applyControl (control: ControlRequest): void
  /** The target of another node has answered. */
  applyRemoteControl (control: ControlRequest, binding: Binding, answer: Target | RemoteProblem): void
  /** None waits any more. */
  controlQueueEmptied (): void
}

/** A process that controls one connection faster than other nodes answer is refused. */
const maxWaiting = 64

/**
 * The `ws.control` messages of one connection from the moment that one of them names a target on
 * another node, which is asked first. They take effect in the order sent: those behind it wait.
 */
export class ControlQueue {
  readonly #connection: ControlledConnection
  #waiting: ControlRequest[] = []
  #pendingBinding: Binding | undefined

  constructor (connection: ControlledConnection) {
    this.#connection = connection
  }

  /** @returns false when too many wait already */
  enqueue (control: ControlRequest): boolean {
    if (this.#waiting.length >= maxWaiting) return false
    this.#waiting.push(control)
    if (this.#waiting.length === 1) this.#processNext()
    return true
  }

  /** The connection ends: nothing is carried out any more. @returns those that waited */
  cancelAll (): ControlRequest[] {
    this.#pendingBinding?.release()
    this.#pendingBinding = undefined
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }

  #processNext (): void {
    while (this.#waiting.length > 0) {
      const control = this.#waiting[0]
      const binding = this.#connection.bindingFor(control)
      if (binding !== undefined) {
        this.#requestBinding(control, binding)
        return
      }
      this.#waiting.shift()
      this.#connection.applyControl(control)
    }
    this.#connection.controlQueueEmptied()
  }

  #requestBinding (control: ControlRequest, binding: Binding): void {
    this.#pendingBinding = binding
    binding.requestBinding((answer) => {
      this.#pendingBinding = undefined
      this.#waiting.shift()
      this.#connection.applyRemoteControl(control, binding, answer)
      this.#processNext()
    })
  }
}
