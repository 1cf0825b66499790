import { decodeOtherVersion, version } from '../link/codec.js'
import type { Logger } from '../../../types/processes.js'

/** Nodes that are remembered: whoever can publish could make up any number of them. */
const mostNodes = 256

/** Nodes that speak another version of the protocol. They are refused, and the log has one line for each start of one. */
export class OtherVersions {
  readonly #logger: Logger
  /** The version and incarnation that was logged, by node. */
  readonly #logged = new Map<string, string>()

  constructor (logger: Logger) {
    this.#logger = logger
  }

  /** A batch that could not be read. */
  logSender (bytes: Buffer): void {
    const other = decodeOtherVersion(bytes)
    if (other === undefined) return
    const { node, incarnation } = other
    const speaks = `${other.version}.${incarnation}`
    if (this.#logged.get(node) === speaks || (this.#logged.size >= mostNodes && !this.#logged.has(node))) return
    this.#logged.set(node, speaks)
    this.#logger.warn({ relayNode: node, incarnation, version: other.version, expected: version }, 'cluster: a node is refused, because it speaks another version of the protocol')
  }
}
