import { frameTypes } from './frame-types.js'
import { encodePayload } from '../values/payload.js'
import { decodeNumberList, NumberList } from './number-list.js'
import type { Frame, FrameFields } from './codec.js'

/** Receivers that are remembered one by one. With more of them, all connections of the node count as missing frames. */
const mostReceivers = 256 * 1024
/** Broadcasts that are remembered one by one. */
const mostBroadcasts = 4096

/** A frame that tells of misses, and what records them again when it is lost itself. */
export interface MissedNotice {
  readonly fields: FrameFields
  readonly recordLoss: (misses: MissedMessages) => void
}

interface MissedBroadcast {
  readonly group: string
  readonly except: string
  count: number
}

/**
 * Messages to a remote node that were refused, or lost with a channel, and that this node has not been told of yet.
 * A connection among their receivers would have a hole in its stream: its node ends it, or counts the frames.
 */
export class MissedMessages {
  readonly #receivers = new Map<number, number>()
  readonly #broadcasts = new Map<string, MissedBroadcast>()
  #everyone = false

  /** There is something to tell. */
  get hasAny (): boolean {
    return this.#receivers.size > 0 || this.#broadcasts.size > 0 || this.#everyone
  }

  /** Records, for the tests that count what remains. */
  get size (): number {
    return this.#receivers.size + this.#broadcasts.size
  }

  hasReceiver (receiver: number): boolean {
    return this.#everyone || this.#receivers.has(receiver)
  }

  addReceiver (receiver: number, count = 1): void {
    if (this.#everyone) return
    this.#receivers.set(receiver, (this.#receivers.get(receiver) ?? 0) + count)
    if (this.#receivers.size > mostReceivers) this.addEveryone()
  }

  /** @param except the member that was left out; empty: none */
  addBroadcast (group: string, except: string, count = 1): void {
    if (this.#everyone) return
    // No name of a group has a control character.
    const key = `${except}\n${group}`
    const missed = this.#broadcasts.get(key)
    if (missed !== undefined) missed.count += count
    else this.#broadcasts.set(key, { group, except, count })
    if (this.#broadcasts.size > mostBroadcasts) this.addEveryone()
  }

  addEveryone (): void {
    this.clear()
    this.#everyone = true
  }

  /** What tells the other node, which knows it from then on. */
  takeNotices (): MissedNotice[] {
    const notices = [...this.#notices()]
    this.clear()
    return notices
  }

  * #notices (): Generator<MissedNotice> {
    if (this.#everyone) yield { fields: { type: frameTypes.missed }, recordLoss: (misses) => { misses.addEveryone() } }
    if (this.#receivers.size > 0) yield this.#receiversNotice(new Map(this.#receivers))
    for (const { group, except, count } of this.#broadcasts.values()) {
      yield {
        fields: { type: frameTypes.missedBroadcast, text: group, ref: count, ...encodePayload(except)! },
        recordLoss: (misses) => { misses.addBroadcast(group, except, count) }
      }
    }
  }

  #receiversNotice (missed: ReadonlyMap<number, number>): MissedNotice {
    const receivers = new NumberList()
    const counts = new NumberList()
    for (const [receiver, count] of missed) {
      receivers.append(receiver)
      counts.append(count)
    }
    return {
      fields: { type: frameTypes.missed, ref: receivers.length, body: Buffer.concat([receivers.bytes, counts.bytes]) },
      recordLoss: (misses) => { for (const [receiver, count] of missed) misses.addReceiver(receiver, count) }
    }
  }

  clear (): void {
    this.#receivers.clear()
    this.#broadcasts.clear()
    this.#everyone = false
  }
}

/** What a notice says. @returns the frames that each receiver missed; 'everyone'; undefined when it is garbage */
export function decodeMissed ({ ref, body }: Frame): Map<number, number> | 'everyone' | undefined {
  if (body.length === 0) return 'everyone'
  const receivers = decodeNumberList(body.subarray(0, ref))
  const counts = decodeNumberList(body.subarray(ref))
  if (receivers === undefined || counts?.length !== receivers.length) return undefined
  return new Map(receivers.map((receiver, i) => [receiver, counts[i]]))
}
