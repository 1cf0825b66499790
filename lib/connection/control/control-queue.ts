import type { Answer } from '../../process/calls.js'
import type { BindResult } from '../../process/remote/remote-nodes.js'
import type { TargetRequest } from '../target/target-request.js'
import type { ControlChange } from '../config.js'

/** A valid `ws.control`, with its call if it is one. */
export interface ControlRequest {
  readonly change: ControlChange
  readonly call: Answer | undefined
}

/** The connection that a queue belongs to. */
export interface ControlledConnection {
  /** @returns undefined if the new target is known at once, or there is no new target */
  bindingFor (request: ControlRequest): TargetRequest | undefined
  /** Carries out a request without a remote target, or rejects it. */
  applyControl (request: ControlRequest): void
  /** Called with the answer for a target that had to be asked for. */
  applyRemoteControl (request: ControlRequest, binding: TargetRequest, answer: BindResult): void
  /** Called when no request waits any more. */
  controlQueueEmptied (): void
}

/** Requests of one connection that may wait for other nodes. Further ones are refused. */
const maxWaiting = 64

/**
 * The `ws.control` messages of one connection, from the first that names a target on another node,
 * or a key whose process has to start. Later messages wait until there is an answer, because they
 * take effect in the order in which they were sent.
 */
export class ControlQueue {
  readonly #connection: ControlledConnection
  #waiting: ControlRequest[] = []
  #pendingBinding: TargetRequest | undefined

  constructor (connection: ControlledConnection) {
    this.#connection = connection
  }

  /** @returns false if too many wait already */
  enqueue (request: ControlRequest): boolean {
    if (this.#waiting.length >= maxWaiting) return false
    this.#waiting.push(request)
    if (this.#waiting.length === 1) this.#processNext()
    return true
  }

  /** Called when the connection ends. @returns the requests that were waiting */
  cancelAll (): ControlRequest[] {
    this.#pendingBinding?.release()
    this.#pendingBinding = undefined
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }

  #processNext (): void {
    while (this.#waiting.length > 0) {
      const request = this.#waiting[0]
      const binding = this.#connection.bindingFor(request)
      if (binding !== undefined) {
        this.#requestBinding(request, binding)
        return
      }
      this.#waiting.shift()
      this.#connection.applyControl(request)
    }
    this.#connection.controlQueueEmptied()
  }

  #requestBinding (request: ControlRequest, binding: TargetRequest): void {
    this.#pendingBinding = binding
    binding.requestBinding((answer) => {
      this.#pendingBinding = undefined
      this.#waiting.shift()
      this.#connection.applyRemoteControl(request, binding, answer)
      this.#processNext()
    })
  }
}
