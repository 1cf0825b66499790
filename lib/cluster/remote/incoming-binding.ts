import { frameTypes } from '../link/frame-types.js'
import { encodePayload } from '../values/payload.js'
import { serialOf } from '../context.js'
import { handsMailOn, takeUnreadMail, tookJoin } from '../../process/exits/unread-joins.js'
import type { NodeContext } from '../context.js'
import type { Frame } from '../link/codec.js'
import type { Peer } from '../membership/peer.js'
import type { Producer } from '../../shared/watermark.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** The text of a `bind` from a node that takes messages of its client back. */
export const takesBack = 'unread'

interface RefusedMessage {
  readonly payload: object
  readonly client: Pid
}

const noMessages: RefusedMessage[] = []

/**
 * The binding of a remote connection to a process of this node. Tells the other node to stop
 * reading from the client while the mailbox of the process is full.
 *
 * | state | event | new state |
 * | --- | --- | --- |
 * | bound | the process refuses a message: it is kept, and the client is paused | bound |
 * | bound | the process ends | removed: `down` |
 * | bound | a process of a key ends, and nobody has joined its client | returning |
 * | returning | a message that was under way: it is sent back | returning |
 * | returning | `sendingStopped` | removed: `down` |
 * | bound, returning | the connection leaves, its node is lost, or this node closes | removed |
 *
 * It becomes returning by `unread` frames and `stopSending`. The channel keeps their order, so the
 * other node has all messages of the client, in order, when it receives `down`.
 */
export class IncomingBinding implements Producer {
  readonly target: Pid
  readonly peer: Peer
  readonly ref: number
  readonly #takesBack: boolean
  metadata: unknown
  /** Set from the join, if the target accepted it, until the leave. */
  client: Pid | undefined
  /** Set while messages are returned. */
  exit: Exit | undefined
  #refused: RefusedMessage[] = noMessages
  #paused = false

  /** @param options the text of its `bind` */
  constructor (peer: Peer, ref: number, target: Pid, options: string) {
    this.peer = peer
    this.ref = ref
    this.target = target
    this.#takesBack = options === takesBack
  }

  /** Whether the target received the join before it ended. */
  tookJoin (exit: Exit): boolean {
    return this.client !== undefined && tookJoin(exit, this.client)
  }

  /** @returns whether it was not paused: `resume` must be called when the mailbox has room */
  pauseClient (): boolean {
    if (this.#paused) return false
    this.#paused = true
    this.peer.sendFrame({ type: frameTypes.pause, ref: this.ref })
    return true
  }

  resume (): void {
    this.#paused = false
    this.peer.sendFrame({ type: frameTypes.resume, ref: this.ref })
  }

  // Messages that the process does not take

  /**
   * Keeps a message that a stopping process has refused: it may end before it takes the join.
   * @returns false if the other node does not take it back
   */
  keepRefused (payload: object, client: Pid): boolean {
    if (!this.#takesBack) return false
    if (this.#refused === noMessages) this.#refused = []
    this.#refused.push({ payload, client })
    // Only the next process resumes it.
    this.pauseClient()
    return true
  }

  /** @returns how many messages it has kept, which are dropped */
  dropRefused (): number {
    const { length } = this.#refused
    this.#refused = noMessages
    return length
  }

  /** Whether the messages of its client go to the next process of a key. */
  mustReturn (exit: Exit): boolean {
    return this.#takesBack && handsMailOn(exit) && !this.tookJoin(exit)
  }

  /** Sends back what the process has not taken. Messages that are under way follow. */
  startReturn (exit: Exit, { codec }: NodeContext): void {
    this.exit = exit
    const { peer, ref, client } = this
    const mail = client === undefined ? [] : takeUnreadMail(exit, client)
    const unread = mail.map(({ payload }) => ({ payload: payload as object, client: client! }))
    for (const { payload, client } of [...unread, ...this.#refused]) {
      // It has come from the other node, so it can be encoded.
      const encoded = encodePayload(codec.dataOf(payload) ?? codec.contentOf(payload))!
      peer.sendFrame({ type: frameTypes.unread, ref, to: serialOf(client), ...encoded })
    }
    this.#refused = noMessages
    peer.sendFrame({ type: frameTypes.stopSending, ref })
  }

  /** Sends back a message that was under way. */
  returnMessage ({ from, kind, body }: Frame): void {
    this.peer.sendFrame({ type: frameTypes.unread, ref: this.ref, to: from, kind, body })
  }
}
