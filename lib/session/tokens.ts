import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Token } from './offer.js'

const macLength = 22

/** The parts that the mac of a token covers, besides the number of its generation. */
export interface TokenScope {
  /** The serial number of the PID. */
  readonly serial: string
  /** The request's `Origin`; empty if it has none. */
  readonly origin: string
  /** The request's URL up to `?`: a hook that guards `/rooms/7` must have run for room 7. */
  readonly path: string
}

/**
 * Makes and checks the tokens of one incarnation of a node. The key is random and is never stored,
 * so the tokens end with the incarnation.
 */
export class TokenKey {
  readonly #key = randomBytes(32)
  readonly #node: string
  readonly #incarnation: string

  /** @param incarnation in base 36, as in a PID */
  constructor (node: string, incarnation: string) {
    this.#node = node
    this.#incarnation = incarnation
  }

  /** Whether a token was made by this incarnation of this node, if it is valid at all. */
  isOwn ({ node, incarnation }: Token): boolean {
    return node === this.#node && incarnation === this.#incarnation
  }

  tokenFor (scope: TokenScope, generation: number): string {
    const mac = this.#macOf(scope, generation)
    return `${this.#node}.${this.#incarnation}.${scope.serial}.${mac}`
  }

  matches (mac: string, scope: TokenScope, generation: number): boolean {
    // Both have 22 characters of one byte each.
    return timingSafeEqual(Buffer.from(mac), Buffer.from(this.#macOf(scope, generation)))
  }

  /** Each part has its length in front, so that no two lists of parts have the same bytes. */
  #macOf ({ serial, origin, path }: TokenScope, generation: number): string {
    const hmac = createHmac('sha256', this.#key)
    for (const part of [serial, String(generation), origin, path]) {
      hmac.update(`${Buffer.byteLength(part)}:`).update(part)
    }
    return hmac.digest('base64url').slice(0, macLength)
  }
}
