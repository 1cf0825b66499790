import { frameTypes } from '../link/frame-types.js'
import { decodePayload, encodePayload } from '../values/payload.js'
import { serialOf } from '../membership/peer.js'
import { deleteInner, innerMap } from '../nested-maps.js'
import type { Clock } from '../../shared/clock.js'
import type { Frame } from '../link/codec.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { Timing } from '../timing.js'
import type { Pid } from '../../../types/pid.js'

/** What it takes to ask other nodes, and to answer them. */
export interface GroupQueriesHost {
  readonly node: Pick<NodeContext, 'nextRef'>
  readonly clock: Clock
  readonly timing: Timing
  /** Members of this node. */
  localMembers (group: string): Iterable<Pid>
}

/** What waits for the members on one node. */
type PendingQuery = (members: Pid[] | undefined) => void

/** Who is in a group on another node: asked there, and never waited for longer than a request may take. */
export class GroupQueries {
  readonly #host: GroupQueriesHost
  readonly #pending = new Map<Peer, Map<number, PendingQuery>>()

  constructor (host: GroupQueriesHost) {
    this.#host = host
  }

  get size (): number {
    return this.#pending.size
  }

  /** @returns undefined when the node does not answer */
  query (group: string, peer: Peer): Promise<Pid[] | undefined> {
    const { node: hub, clock, timing } = this.#host
    return new Promise((resolve) => {
      const ref = hub.nextRef()
      const answered: PendingQuery = (members) => {
        timer.cancel()
        deleteInner(this.#pending, peer, ref)
        resolve(members)
      }
      const timer = clock.after(timing.request, () => { answered(undefined) })
      innerMap(this.#pending, peer).set(ref, answered)
      if (!peer.sendFrame({ type: frameTypes.ask, ref, text: group })) answered(undefined)
    })
  }

  /** Frames of another node. @returns undefined for one that is not of this kind, false for garbage */
  receive (peer: Peer, { type, ref, text, kind, body }: Frame): boolean | undefined {
    if (type === frameTypes.ask) {
      const members = Array.from(this.#host.localMembers(text), serialOf)
      peer.sendFrame({ type: frameTypes.members, ref, ...encodePayload(members)! })
      return true
    }
    if (type !== frameTypes.members) return undefined
    const payload = decodePayload(kind, body as Buffer)?.payload
    const isList = Array.isArray(payload) && payload.every((serial) => Number.isSafeInteger(serial))
    this.#pending.get(peer)?.get(ref)?.(isList ? payload.map((serial: number) => peer.pid(serial)) : undefined)
    return isList
  }

  /** The node cannot be asked any more. */
  channelReset (peer: Peer): void {
    for (const answered of [...this.#pending.get(peer)?.values() ?? []]) answered(undefined)
  }
}
