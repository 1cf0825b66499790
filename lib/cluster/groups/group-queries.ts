import { types } from '../link/frames.js'
import { decodePayload, encodePayload } from '../values/payload.js'
import { serialOf } from '../membership/peer.js'
import { drop, entry } from '../remote/watches.js'
import type { Clock } from '../../shared/clock.js'
import type { Frame } from '../link/codec.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { Timing } from '../timing.js'
import type { Pid } from '../../../types/pid.js'

/** What it takes to ask other nodes, and to answer them. */
export interface GroupQuestionsHost {
  readonly hub: Pick<NodeContext, 'nextRef'>
  readonly clock: Clock
  readonly timing: Timing
  /** Members of this node. */
  membersHere (group: string): Iterable<Pid>
}

/** What waits for the members on one node. */
type Answered = (members: Pid[] | undefined) => void

/** Who is in a group on another node: asked there, and never waited for longer than a request may take. */
export class GroupQuestions {
  readonly #host: GroupQuestionsHost
  readonly #asked = new Map<Peer, Map<number, Answered>>()

  constructor (host: GroupQuestionsHost) {
    this.#host = host
  }

  get size (): number {
    return this.#asked.size
  }

  /** @returns undefined when the node does not answer */
  ask (group: string, peer: Peer): Promise<Pid[] | undefined> {
    const { hub, clock, timing } = this.#host
    return new Promise((resolve) => {
      const ref = hub.nextRef()
      const answered: Answered = (members) => {
        timer.cancel()
        drop(this.#asked, peer, ref)
        resolve(members)
      }
      const timer = clock.after(timing.request, () => { answered(undefined) })
      entry(this.#asked, peer).set(ref, answered)
      if (!peer.push({ type: types.ask, ref, text: group })) answered(undefined)
    })
  }

  /** Frames of another node. @returns undefined for one that is not of this kind, false for garbage */
  receive (peer: Peer, { type, ref, text, kind, body }: Frame): boolean | undefined {
    if (type === types.ask) {
      const members = Array.from(this.#host.membersHere(text), serialOf)
      peer.push({ type: types.members, ref, ...encodePayload(members)! })
      return true
    }
    if (type !== types.members) return undefined
    const payload = decodePayload(kind, body as Buffer)?.payload
    const isList = Array.isArray(payload) && payload.every((serial) => Number.isSafeInteger(serial))
    this.#asked.get(peer)?.get(ref)?.(isList ? payload.map((serial: number) => peer.pid(serial)) : undefined)
    return isList
  }

  /** The node cannot be asked any more. */
  torn (peer: Peer): void {
    for (const answered of [...this.#asked.get(peer)?.values() ?? []]) answered(undefined)
  }
}
