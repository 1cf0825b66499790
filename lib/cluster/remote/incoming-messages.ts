import { decodeMissed, isMissedByAll } from '../link/missed-messages.js'
import { decodeNumberList } from '../link/number-list.js'
import { decodePayload } from '../values/payload.js'
import type { NodeContext } from '../context.js'
import type { FrameHandlers } from '../dispatch.js'
import type { Frame } from '../link/codec.js'
import type { Peer } from '../membership/peer.js'
import type { Pid } from '../../../types/pid.js'

/** Delivers the messages and signals of other nodes to processes of this one. */
export class IncomingMessages {
  readonly #context: NodeContext

  readonly handlers = {
    send: (peer, frame) => this.#receiveSend(peer, frame),
    sendMany: (peer, frame) => this.#receiveMany(peer, frame),
    missed: (_peer, frame) => this.#receiveMissed(frame),
    exit: (peer, { to, from, text: reason }) => {
      this.#context.local.exit(this.#context.pid(to), reason, senderOf(peer, from))
      return true
    },
    cancel: (peer, { to, from, text: reason }) => {
      this.#context.local.cancel(this.#context.pid(to), reason, senderOf(peer, from))
      return true
    }
  } satisfies Partial<FrameHandlers>

  constructor (context: NodeContext) {
    this.#context = context
  }

  #receiveSend (peer: Peer, { to, from, text: topic, kind, body }: Frame): boolean {
    const { local } = this.#context
    const receiver = this.#context.pid(to)
    const decoded = decodePayload(kind, body as Buffer)
    if (decoded === undefined) {
      local.missed(receiver, 1)
      return false
    }
    local.deliver(receiver, topic, decoded.payload, senderOf(peer, from))
    return true
  }

  #receiveMany (peer: Peer, { ref, from, text: topic, kind, body }: Frame): boolean {
    if (ref > 0) {
      const serials = decodeNumberList(body.subarray(0, ref))
      peer.lastReceivers = serials?.map((serial) => this.#context.pid(serial))
    }
    const payload = body.subarray(ref) as Buffer
    const decoded = decodePayload(kind, payload)
    if (peer.lastReceivers === undefined) return false
    const { local } = this.#context
    if (decoded === undefined) {
      for (const pid of peer.lastReceivers) local.missed(pid, 1)
      return false
    }
    const again = (): unknown => decodePayload(kind, payload)!.payload
    const { lastReceivers } = peer
    local.deliverToMany(lastReceivers, topic, decoded.payload, again, senderOf(peer, from))
    return true
  }

  #receiveMissed (frame: Frame): boolean {
    const { local } = this.#context
    if (isMissedByAll(frame)) {
      local.missedByAll()
      return true
    }
    const missed = decodeMissed(frame)
    if (missed === undefined) return false
    for (const [receiver, count] of missed) local.missed(this.#context.pid(receiver), count)
    return true
  }
}

function senderOf (peer: Peer, from: number): Pid | undefined {
  return from === 0 ? undefined : peer.pid(from)
}
