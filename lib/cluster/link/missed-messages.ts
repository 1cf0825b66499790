import { frameTypes } from './frame-types.js'
import { encodePayload } from '../values/payload.js'
import { decodeNumberList, NumberList } from './number-list.js'
import type { Frame, FrameFields } from './codec.js'

/** With more receivers than this, every connection of the node counts as having missed messages. */
const mostReceivers = 256 * 1024
/** With more broadcasts than this, the same. */
const mostBroadcasts = 4096

/** A frame that reports missed messages. */
export interface MissedNotice {
  readonly fields: FrameFields
  /** Records the same messages again, if this frame is lost too. */
  readonly recordLoss: (missed: MissedMessages) => void
}

interface MissedBroadcast {
  readonly group: string
  readonly except: string
  count: number
}

/**
 * Messages to a remote node that were refused, or lost with a reset of the channel, and that the
 * remote node does not know of yet. If the receiver is a connection, there is a gap in its stream:
 * its node closes it or counts the missing frames.
 */
export class MissedMessages {
  readonly #receivers = new Map<number, number>()
  readonly #broadcasts = new Map<string, MissedBroadcast>()
  #everyone = false

  get hasAny (): boolean {
    return this.#receivers.size > 0 || this.#broadcasts.size > 0 || this.#everyone
  }

  /** Number of records, for tests that look for leaks. */
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

  /** @param except the excluded member, or empty */
  addBroadcast (group: string, except: string, count = 1): void {
    if (this.#everyone) return
    // Names of groups have no control characters, so the key is unambiguous.
    const key = `${except}\n${group}`
    const missed = this.#broadcasts.get(key)
    if (missed !== undefined) missed.count += count
    else this.#broadcasts.set(key, { group, except, count })
    if (this.#broadcasts.size > mostBroadcasts) this.addEveryone()
  }

  /** Any receiver may have missed messages. */
  addEveryone (): void {
    this.clear()
    this.#everyone = true
  }

  /** Returns the frames that report all missed messages, and forgets these messages. */
  takeNotices (): MissedNotice[] {
    const notices = [...this.#notices()]
    this.clear()
    return notices
  }

  * #notices (): Generator<MissedNotice> {
    if (this.#everyone) {
      yield {
        fields: { type: frameTypes.missed },
        recordLoss: (missed) => { missed.addEveryone() }
      }
    }
    if (this.#receivers.size > 0) yield this.#receiversNotice(new Map(this.#receivers))
    for (const { group, except, count } of this.#broadcasts.values()) {
      yield {
        fields: {
          type: frameTypes.missedBroadcast, text: group, ref: count, ...encodePayload(except)!
        },
        recordLoss: (missed) => { missed.addBroadcast(group, except, count) }
      }
    }
  }

  #receiversNotice (countByReceiver: ReadonlyMap<number, number>): MissedNotice {
    const receivers = new NumberList()
    const counts = new NumberList()
    for (const [receiver, count] of countByReceiver) {
      receivers.append(receiver)
      counts.append(count)
    }
    const body = Buffer.concat([receivers.bytes, counts.bytes])
    return {
      fields: { type: frameTypes.missed, ref: receivers.length, body },
      recordLoss: (missed) => {
        for (const [receiver, count] of countByReceiver) missed.addReceiver(receiver, count)
      }
    }
  }

  clear (): void {
    this.#receivers.clear()
    this.#broadcasts.clear()
    this.#everyone = false
  }
}

/** Whether a `missed` frame says that any connection may have missed messages. */
export function isMissedByAll ({ body }: Frame): boolean {
  return body.length === 0
}

/**
 * Decodes a `missed` frame that lists its receivers.
 * @returns how many messages each receiver missed, or undefined if the frame is garbage
 */
export function decodeMissed ({ ref, body }: Frame): Map<number, number> | undefined {
  const receivers = decodeNumberList(body.subarray(0, ref))
  const counts = decodeNumberList(body.subarray(ref))
  if (receivers === undefined || counts?.length !== receivers.length) return undefined
  return new Map(receivers.map((receiver, i) => [receiver, counts[i]]))
}
