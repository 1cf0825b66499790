import { frameTypes } from '../link/frame-types.js'
import { decodePayload, encodePayload } from '../values/payload.js'
import { serialOf } from '../membership/peer.js'
import { deleteInner, innerMap } from '../nested-maps.js'
import type { Clock } from '../../shared/clock.js'
import type { Frame } from '../link/codec.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { Timing } from '../timing.js'
import type { Pid } from '../../../types/pid.js'

export interface GroupQueriesHost {
  readonly node: Pick<NodeContext, 'nextRef'>
  readonly clock: Clock
  readonly timing: Timing
  /** The members of a group that live on this node. */
  localMembers (group: string): Iterable<Pid>
}

/** Settles a query. @param members undefined: there is no answer */
type PendingQuery = (members: Pid[] | undefined) => void

/**
 * Asks other nodes for their members of a group, and answers the same question. A query waits no
 * longer than `timing.request`.
 */
export class GroupQueries {
  readonly #host: GroupQueriesHost
  readonly #pending = new Map<Peer, Map<number, PendingQuery>>()

  constructor (host: GroupQueriesHost) {
    this.#host = host
  }

  get size (): number {
    return this.#pending.size
  }

  /** @returns the members on that node; undefined: it does not answer */
  query (group: string, peer: Peer): Promise<Pid[] | undefined> {
    const { node, clock, timing } = this.#host
    return new Promise((resolve) => {
      const ref = node.nextRef()
      const settle: PendingQuery = (members) => {
        timer.cancel()
        deleteInner(this.#pending, peer, ref)
        resolve(members)
      }
      const timer = clock.after(timing.request, () => { settle(undefined) })
      innerMap(this.#pending, peer).set(ref, settle)
      if (!peer.sendFrame({ type: frameTypes.ask, ref, text: group })) settle(undefined)
    })
  }

  /** @returns undefined when a frame is not about queries, false when it is garbage */
  receive (peer: Peer, { type, ref, text, kind, body }: Frame): boolean | undefined {
    if (type === frameTypes.ask) {
      const members = Array.from(this.#host.localMembers(text), serialOf)
      peer.sendFrame({ type: frameTypes.members, ref, ...encodePayload(members)! })
      return true
    }
    if (type !== frameTypes.members) return undefined
    const payload = decodePayload(kind, body as Buffer)?.payload
    const isList = Array.isArray(payload) && payload.every((serial) => Number.isSafeInteger(serial))
    const members = isList ? payload.map((serial: number) => peer.pid(serial)) : undefined
    this.#pending.get(peer)?.get(ref)?.(members)
    return isList
  }

  /** Call when the channel to a node was reset: its answers will never arrive. */
  channelReset (peer: Peer): void {
    for (const settle of [...this.#pending.get(peer)?.values() ?? []]) settle(undefined)
  }
}
