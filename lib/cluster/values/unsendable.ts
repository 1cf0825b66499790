import { show } from '../../errors.js'

const longestPath = 200
const plainName = /^[A-Za-z_$][\w$]{0,79}$/

/** Why a payload cannot cross: the type of what is in the way, and where it is. Nothing of the value itself. */
export class Unsendable extends Error {
  readonly type: string
  readonly #mostSteps: number
  /** From the inside to the outside. */
  readonly #steps: string[] = []

  /** @param mostSteps of the path: where it goes on for ever, the outer ones say enough */
  constructor (type: string, mostSteps = Infinity) {
    super(type)
    this.type = type
    this.#mostSteps = mostSteps
  }

  /** What was thrown where a value was read: a getter or a proxy may throw anything. */
  static of (thrown: unknown): Unsendable {
    return thrown instanceof Unsendable ? thrown : new Unsendable('a value that throws when it is read')
  }

  /** It was found in a part of a value. @param step as one would write it behind the name of the value */
  within (step: string): this {
    this.#steps.push(step)
    return this
  }

  /** As one would write it in JavaScript: `payload.items[3].user`. */
  get path (): string {
    const path = ['payload', ...this.#steps.slice(-this.#mostSteps).reverse()].join('')
    return path.length > longestPath ? `${path.slice(0, longestPath)}…` : path
  }
}

/** The step to a property. Names of properties may come from a client: they are shown short, and on one line. */
export function propertyStep (name: string): string {
  return plainName.test(name) ? `.${name}` : `[${JSON.stringify(show(name))}]`
}

/** The class of an object, for a log. */
export function classOf (value: object): string {
  try {
    const name: unknown = value.constructor.name
    return typeof name === 'string' && name !== '' ? show(name) : 'object'
  } catch {
    // It has no constructor, or is a proxy that throws.
    return 'object'
  }
}
