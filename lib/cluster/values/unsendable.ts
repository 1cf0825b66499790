import { show } from '../../errors.js'

const longestPath = 200
const plainName = /^[A-Za-z_$][\w$]{0,79}$/

/** Why a payload cannot be sent: the type and path of the part that cannot. Never its value. */
export class Unsendable extends Error {
  readonly type: string
  readonly #mostSteps: number
  /** Steps of the path, from the inside to the outside. */
  readonly #steps: string[] = []

  /** @param mostSteps limits the path: in a cycle the outer steps are enough */
  constructor (type: string, mostSteps = Infinity) {
    super(type)
    this.type = type
    this.#mostSteps = mostSteps
  }

  /** Converts a thrown value: a getter or a proxy may throw anything. */
  static of (thrown: unknown): Unsendable {
    if (thrown instanceof Unsendable) return thrown
    return new Unsendable('a value that throws when it is read')
  }

  /** Adds an outer step to the path. @param step in JavaScript syntax, for example `.user` */
  within (step: string): this {
    this.#steps.push(step)
    return this
  }

  /** The path in JavaScript syntax: `payload.items[3].user`. */
  get path (): string {
    const path = ['payload', ...this.#steps.slice(-this.#mostSteps).reverse()].join('')
    return path.length > longestPath ? `${path.slice(0, longestPath)}…` : path
  }
}

/** The step to a property. Its name may come from a client, so it is shortened to one line. */
export function propertyStep (name: string): string {
  return plainName.test(name) ? `.${name}` : `[${JSON.stringify(show(name))}]`
}

/** The name of the class of an object, for a log line. */
export function classOf (value: object): string {
  try {
    const name: unknown = value.constructor.name
    return typeof name === 'string' && name !== '' ? show(name) : 'object'
  } catch {
    // The object has no constructor, or is a proxy that throws.
    return 'object'
  }
}
