import { batchTypes, decodeNumber, decodeSource } from './link/codec.js'
import type { Membership } from './membership/membership.js'
import type { Peer } from './membership/peer.js'
import type { Peers } from './membership/peers.js'
import type { ClusterStats } from '../../types/cluster.js'

export interface InboxHost {
  readonly membership: Pick<Membership, 'recordContact'>
  readonly peers: Pick<Peers, 'ofNode'>
  readonly counters: ClusterStats
  /** Another node has heard of a later incarnation of this one, and ignores this one. */
  laterIncarnation (incarnation: number): void
}

/** Checks the sender of each batch that arrives for this node, and passes it to the channel. */
export class Inbox {
  readonly #host: InboxHost

  constructor (host: InboxHost) {
    this.#host = host
  }

  /** Called with each batch on the topic of this node. */
  readonly receiveBatch = (bytes: Buffer): void => {
    if (bytes[1] === batchTypes.outdated) return this.#receiveOutdated(bytes)
    const source = this.acceptSource(bytes)
    if (source === undefined) return
    const { peer, end } = source
    if (!peer.channel.receiveBatch(bytes[1], bytes, end)) this.#host.counters.garbage++
  }

  #receiveOutdated (bytes: Buffer): void {
    const source = decodeSource(bytes)
    const known = source && decodeNumber(bytes, source.end)
    if (known === undefined) this.#host.counters.garbage++
    else this.#host.laterIncarnation(known)
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
      this.#host.counters.garbage++
      return undefined
    }
    if (!this.#host.membership.recordContact(source.node, source.incarnation)) return undefined
    return { peer: this.#host.peers.ofNode(source.node)!, end: source.end }
  }
}
