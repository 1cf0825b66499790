import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Token, TokenScope } from './offer.js'

const macLength = 22

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

  /** @param serial the serial number of the PID */
  tokenFor (serial: number, scope: TokenScope, generation: number): string {
    const mac = this.#macOf(serial, scope, generation)
    return `${this.#node}.${this.#incarnation}.${serial}.${mac}`
  }

  matches (mac: string, serial: number, scope: TokenScope, generation: number): boolean {
    // Both have 22 characters of one byte each.
    return timingSafeEqual(Buffer.from(mac), Buffer.from(this.#macOf(serial, scope, generation)))
  }

  /** Each part has its length in front, so that no two lists of parts have the same bytes. */
  #macOf (serial: number, { origin, path }: TokenScope, generation: number): string {
    const hmac = createHmac('sha256', this.#key)
    for (const part of [String(serial), String(generation), origin, path]) {
      hmac.update(`${Buffer.byteLength(part)}:`).update(part)
    }
    return hmac.digest('base64url').slice(0, macLength)
  }
}
