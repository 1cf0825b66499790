import { frameTypes } from '../link/frame-types.js'
import { decodePayload, encodePayload } from '../values/payload.js'
import { serialOf } from '../context.js'
import { deleteInner, innerMap } from '../nested-maps.js'
import type { NodeContext } from '../context.js'
import type { FrameHandlers } from '../dispatch.js'
import type { Frame } from '../link/codec.js'
import type { Peer } from '../membership/peer.js'
import type { Pid } from '../../../types/pid.js'

/** Settles a query. @param members undefined: there is no answer */
type PendingQuery = (members: Pid[] | undefined) => void

/**
 * Asks other nodes for their members of a group, and answers the same question. A query waits no
 * longer than `timing.request`.
 */
export class GroupQueries {
  readonly #context: NodeContext
  readonly #localMembers: (group: string) => Iterable<Pid>
  readonly #pending = new Map<Peer, Map<number, PendingQuery>>()

  readonly handlers = {
    ask: (peer, frame) => this.#receiveQuery(peer, frame),
    members: (peer, frame) => this.#receiveAnswer(peer, frame)
  } satisfies Partial<FrameHandlers>

  /** @param localMembers returns the members of a group that live on this node */
  constructor (context: NodeContext, localMembers: (group: string) => Iterable<Pid>) {
    this.#context = context
    this.#localMembers = localMembers
  }

  get size (): number {
    return this.#pending.size
  }

  /** @returns the members on that node; undefined: it does not answer */
  query (group: string, peer: Peer): Promise<Pid[] | undefined> {
    return new Promise((resolve) => {
      const ref = this.#context.nextRef()
      const settle: PendingQuery = (members) => {
        timer.cancel()
        deleteInner(this.#pending, peer, ref)
        resolve(members)
      }
      const timer = this.#context.after(this.#context.timing.request, () => { settle(undefined) })
      innerMap(this.#pending, peer).set(ref, settle)
      if (!peer.sendFrame({ type: frameTypes.ask, ref, text: group })) settle(undefined)
    })
  }

  #receiveQuery (peer: Peer, { ref, text: group }: Frame): true {
    const members = Array.from(this.#localMembers(group), serialOf)
    peer.sendFrame({ type: frameTypes.members, ref, ...encodePayload(members)! })
    return true
  }

  #receiveAnswer (peer: Peer, { ref, kind, body }: Frame): boolean {
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
