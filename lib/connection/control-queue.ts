import type { Answer } from '../process/calls.js'
import type { RemoteProblem } from '../process/remote-nodes.js'
import type { Target } from '../process/entity.js'
import type { Binding } from './binding.js'
import type { ControlChange } from './config.js'

/** A valid `ws.control`, and who waits for its outcome. */
export interface Control {
  readonly change: ControlChange
  readonly call: Answer | undefined
}

/** The connection that is controlled. */
export interface Controlled {
  /** The target that has to be asked first; undefined: there is none. */
  bondFor (control: Control): Binding | undefined
  /** Does it, or refuses it. */
  control (control: Control): void
  /** The target of another node has answered. */
  targetAnswered (control: Control, bond: Binding, answer: Target | RemoteProblem): void
  /** None waits any more. */
  controlsOver (): void
}

/** A process that controls one connection faster than other nodes answer is refused. */
const mostWaiting = 64

/**
 * The `ws.control` messages of one connection from the moment that one of them names a target on
 * another node, which is asked first. They take effect in the order sent: those behind it wait.
 */
export class ControlQueue {
  readonly #connection: Controlled
  #waiting: Control[] = []
  #asking: Binding | undefined

  constructor (connection: Controlled) {
    this.#connection = connection
  }

  /** @returns false when too many wait already */
  add (control: Control): boolean {
    if (this.#waiting.length >= mostWaiting) return false
    this.#waiting.push(control)
    if (this.#waiting.length === 1) this.#next()
    return true
  }

  /** The connection ends: nothing is carried out any more. @returns those that waited */
  abandon (): Control[] {
    this.#asking?.release()
    this.#asking = undefined
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }

  #next (): void {
    while (this.#waiting.length > 0) {
      const control = this.#waiting[0]
      const bond = this.#connection.bondFor(control)
      if (bond !== undefined) {
        this.#ask(control, bond)
        return
      }
      this.#waiting.shift()
      this.#connection.control(control)
    }
    this.#connection.controlsOver()
  }

  #ask (control: Control, bond: Binding): void {
    this.#asking = bond
    bond.ask((answer) => {
      this.#asking = undefined
      this.#waiting.shift()
      this.#connection.targetAnswered(control, bond, answer)
      this.#next()
    })
  }
}
