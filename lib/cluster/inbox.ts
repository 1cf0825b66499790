import { batchTypes, decodeNumber, decodeSource } from './link/codec.js'
import type { NodeContext } from './context.js'
import type { Membership } from './membership/membership.js'
import type { Peer } from './membership/peer.js'
import type { Peers } from './membership/peers.js'

/** Checks the sender of each batch that arrives for this node, and passes it to the channel. */
export class NodeInbox {
  readonly #context: NodeContext
  readonly #membership: Pick<Membership, 'recordContact' | 'heardOwnName'>
  readonly #peers: Pick<Peers, 'ofNode'>

  constructor (
    context: NodeContext,
    membership: Pick<Membership, 'recordContact' | 'heardOwnName'>,
    peers: Pick<Peers, 'ofNode'>
  ) {
    this.#context = context
    this.#membership = membership
    this.#peers = peers
  }

  /** Called with each batch on the topic of this node. */
  readonly receiveBatch = (bytes: Buffer): void => {
    if (bytes[1] === batchTypes.outdated) return this.#receiveOutdated(bytes)
    const source = this.acceptSource(bytes)
    if (source === undefined) return
    const { peer, end } = source
    if (!peer.channel.receiveBatch(bytes[1], bytes, end)) this.#context.counters.garbageReceived()
  }

  #receiveOutdated (bytes: Buffer): void {
    const source = decodeSource(bytes)
    const known = source && decodeNumber(bytes, source.end)
    if (known === undefined) this.#context.counters.garbageReceived()
    else this.#membership.heardOwnName(known)
  }

  /**
   * @param type the only type that is accepted; absent: any
   * @returns the sender of a batch and the offset after it; undefined: the batch must be dropped
   */
  acceptSource (
    bytes: Buffer, type?: number
  ): { readonly peer: Peer, readonly end: number } | undefined {
    const source = decodeSource(bytes)
    if (source === undefined || (type !== undefined && source.type !== type)) {
      this.#context.counters.garbageReceived()
      return undefined
    }
    if (!this.#membership.recordContact(source.node, source.incarnation)) return undefined
    return { peer: this.#peers.ofNode(source.node)!, end: source.end }
  }
}
