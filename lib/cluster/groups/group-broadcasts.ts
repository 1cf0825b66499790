import { batchTypes, decodeFrames, frameSize } from '../link/codec.js'
import { maxFrameBytes } from '../link/fragments.js'
import { frameTypes } from '../link/frame-types.js'
import { decodePayload, encodePayload, whyUnsendable } from '../values/payload.js'
import { serialOf } from '../context.js'
import { relayedBroadcast, splitRelayedHeader } from './group-publisher.js'
import type { NodeContext } from '../context.js'
import type { NodeInbox } from '../inbox.js'
import type { Frame, FrameFields } from '../link/codec.js'
import type { EngineLink } from '../link/engine-link.js'
import type { Group } from './group.js'
import type { GroupPublisher } from './group-publisher.js'
import type { GroupTable } from './group-table.js'
import type { ChangeListener } from './local-members.js'
import type { Peer } from '../membership/peer.js'
import type { Peers } from '../membership/peers.js'
import type { Pid } from '../../../types/pid.js'

/** The parts of a node that broadcasts use. */
export interface BroadcastParts {
  readonly context: NodeContext
  readonly engineLink: Pick<EngineLink, 'isOwn'>
  readonly peers: Pick<Peers, 'flush'>
  readonly inbox: Pick<NodeInbox, 'acceptSource'>
  readonly table: Pick<GroupTable, 'get'>
  readonly publisher: Pick<GroupPublisher, 'broadcast'>
  /** Called with the joins and leaves that stand between broadcasts, in their order. */
  readonly memberChanged: ChangeListener
}

/** Broadcasts to groups: it sends those of this node, and delivers those of all nodes here. */
export class GroupBroadcasts {
  readonly #context: NodeContext
  readonly #parts: BroadcastParts

  constructor (parts: BroadcastParts) {
    this.#context = parts.context
    this.#parts = parts
  }

  /** @returns whether it was accepted for every node that is up */
  send (
    name: string,
    topic: string,
    payload: unknown,
    except: Pid | undefined,
    from: Pid | undefined
  ): boolean {
    const encoded = encodePayload(payload)
    if (encoded === undefined) {
      this.#context.unsendable(whyUnsendable(payload), { topic, group: name })
      return false
    }
    const fields: FrameFields = {
      type: frameTypes.broadcast, from: serialOf(from), text: topic, ...encoded
    }
    const relayed = relayedBroadcast(name, except ?? '', fields)
    if (frameSize(relayed) > maxFrameBytes) return false
    const { peers, publisher, table } = this.#parts
    const group = table.get(name)
    // Messages that were sent before the broadcast must arrive before it.
    peers.flush()
    const reached = publisher.broadcast(name, except ?? '', fields, relayed)
    if (group !== undefined) this.#deliverLocally(group, topic, payload, from, except)
    return reached
  }

  #deliverLocally (
    group: Group, topic: string, payload: unknown, from: Pid | undefined, except: string | undefined
  ): void {
    const members = [...group.localMembers.keys()].filter((pid) => pid !== except)
    if (members.length === 0) return
    this.#context.guard(() => { this.#context.events.broadcast(members, topic, payload, from) })
  }

  // From other nodes

  /** Called with each batch of frames on the topic of a group. */
  receiveBatch (group: Group, bytes: Buffer): void {
    const { engineLink, inbox } = this.#parts
    if (engineLink.isOwn(bytes)) return
    const source = inbox.acceptSource(bytes, batchTypes.broadcast)
    if (source === undefined) return
    const { counters } = this.#context
    const frames = decodeFrames(bytes, source.end)
    if (frames === undefined) {
      counters.garbageReceived()
      return
    }
    let except: string | undefined
    for (const frame of frames) {
      if (frame.type === frameTypes.except) except = frame.text
      else if (!this.#applyFrame(group, source.peer, frame, except)) {
        counters.garbageReceived()
        return
      }
    }
  }

  /** @returns false when the payload cannot be read */
  #applyFrame (
    group: Group, peer: Peer, { type, from, text, kind, body }: Frame, except: string | undefined
  ): boolean {
    if (type === frameTypes.joined || type === frameTypes.left) {
      this.#parts.memberChanged(group, type, peer.pid(from))
      return true
    }
    if (type !== frameTypes.broadcast) return true
    const decoded = decodePayload(kind, body as Buffer)
    if (decoded === undefined) {
      this.#recordMissed(group.name, except ?? '', 1)
      return false
    }
    const sender = from === 0 ? undefined : peer.pid(from)
    this.#deliverLocally(group, text, decoded.payload, sender, except)
    return true
  }

  /** A broadcast that came by the channel of a node. */
  receiveRelayed (peer: Peer, frame: Frame): boolean {
    const { ref, body } = frame
    const [except, name] = splitRelayedHeader(body.subarray(0, ref))
    const group = this.#parts.table.get(name)
    if (group === undefined) return true
    const broadcast = { ...frame, type: frameTypes.broadcast, body: body.subarray(ref) }
    return this.#applyFrame(group, peer, broadcast, except)
  }

  /** Another node says that broadcasts to a group were lost on their way. */
  receiveMissed (_peer: Peer, { text, body, ref }: Frame): true {
    this.#recordMissed(text, body.toString(), ref)
    return true
  }

  /** Tells the local members of a group that they missed broadcasts. */
  #recordMissed (name: string, except: string, count: number): void {
    const { local } = this.#context
    for (const pid of [...this.#parts.table.get(name)?.localMembers.keys() ?? []]) {
      if (pid !== except) local.missed(pid, count)
    }
  }
}
