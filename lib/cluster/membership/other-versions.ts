import { decodeOtherVersion, version } from '../link/codec.js'
import type { Logger } from '../../../types/options.js'

/** Remembers at most this many nodes: anyone who can publish could invent any number of names. */
const mostNodes = 256

/** Logs nodes that speak another version of the protocol, once for each incarnation. */
export class OtherVersions {
  readonly #logger: Logger
  /** The last logged version and incarnation, by node. */
  readonly #logged = new Map<string, string>()

  constructor (logger: Logger) {
    this.#logger = logger
  }

  /** Called with a batch that could not be decoded. */
  logSender (bytes: Buffer): void {
    const other = decodeOtherVersion(bytes)
    if (other === undefined) return
    const { node, incarnation } = other
    const speaks = `${other.version}.${incarnation}`
    if (this.#logged.get(node) === speaks) return
    if (this.#logged.size >= mostNodes && !this.#logged.has(node)) return
    this.#logged.set(node, speaks)
    const about = { relayNode: node, incarnation, version: other.version, expected: version }
    this.#logger.warn(
      about,
      'cluster: a node is refused, because it speaks another version of the protocol'
    )
  }
}
