import { frameTypes } from './frame-types.js'
import { NumberList } from './number-list.js'
import { frameSize } from './codec.js'
import { maxFrameBytes } from './fragments.js'
import type { FrameFields } from './codec.js'
import type { ConnectionCodec } from '../../process/remote/connection-codec.js'

/**
 * Payloads up to this size are looked up among all open sends. A longer one is compared with the
 * last open send alone.
 */
const longestKey = 16 * 1024
/** With more bytes of receiver lists than this, the open sends are closed. */
const mostListBytes = 1024 * 1024
/** The most bytes that one receiver adds to a list. */
const longestNumber = 7

/** A message of this turn of the event loop. It has no number yet. */
interface OpenSend {
  /** Its position among the open sends. */
  readonly index: number
  readonly fields: FrameFields
  /** Bytes of the frame, without its list of receivers. */
  readonly size: number
  /** Absent while there is only one receiver. */
  receivers: NumberList | undefined
}

/** A message whose receivers are complete. */
export interface ClosedSend {
  /** A `send` to one receiver, or a `sendMany` whose list is in `receivers`. */
  readonly fields: FrameFields
  readonly size: number
  readonly receivers: Buffer | undefined
}

/**
 * The last messages of this turn. A loop that sends one payload to many connections of a node makes
 * one frame of it, because further receivers can join an open send.
 *
 * Each receiver still gets its messages in order. A receiver joins an earlier send only if no later
 * one is for the same receiver. The open sends are messages of the shared topic from one sender, or
 * one message of another topic; any other frame closes them first. So the order changes only
 * between receivers, and only the clients at their sockets could observe that.
 */
export class OpenSends {
  readonly #codec: ConnectionCodec
  readonly #sends: OpenSend[] = []
  readonly #byText = new Map<string, OpenSend[]>()
  readonly #byContent = new Map<string, OpenSend[]>()
  /** For each receiver, the index of the last open send to it. */
  readonly #lastFor = new Map<number, number>()
  #sender = 0
  /** The type of the payloads in `#byText`: the same for all of them. */
  #textType: unknown
  #listBytes = 0

  constructor (codec: ConnectionCodec) {
    this.#codec = codec
  }

  get length (): number {
    return this.#sends.length
  }

  /**
   * Adds a receiver to an open send of the same text. Called before the payload is encoded.
   * @returns false if there is no such send
   */
  joinText (to: number, from: number, payload: unknown): boolean {
    if (this.#byText.size === 0 || from !== this.#sender) return false
    const text = this.#textOf(payload)
    return text !== undefined && this.#addReceiver(to, this.#byText.get(text))
  }

  /** Adds a receiver to an open send with the same encoded payload. */
  joinContent (fields: FrameFields): boolean {
    const last = this.#sends.at(-1)
    if (last === undefined || fields.from !== this.#sender) return false
    if (fields.text !== last.fields.text) return false
    const key = this.#contentKey(fields)
    if (key !== undefined) return this.#addReceiver(fields.to!, this.#byContent.get(key))
    const { kind, body } = last.fields
    const isEqual = fields.kind === kind && Buffer.compare(fields.body!, body!) === 0
    return isEqual && this.#addReceiver(fields.to!, [last])
  }

  #addReceiver (to: number, candidates: readonly OpenSend[] | undefined): boolean {
    if (candidates === undefined) return false
    const send = firstFrom(candidates, this.#lastFor.get(to) ?? 0)
    if (send === undefined || this.#listBytes >= mostListBytes) return false
    const { size, fields } = send
    const before = send.receivers?.length ?? 0
    if (size + before + 2 * longestNumber > maxFrameBytes) return false
    if (send.receivers === undefined) {
      send.receivers = new NumberList()
      send.receivers.append(fields.to!)
    }
    send.receivers.append(to)
    this.#listBytes += send.receivers.length - before
    this.#lastFor.set(to, send.index)
    return true
  }

  /** Whether the open sends must be closed first, because this message may not overtake them. */
  mustCloseBefore ({ from, text }: FrameFields): boolean {
    const last = this.#sends.at(-1)
    const { sharedTopic } = this.#codec
    return last !== undefined && (
      text !== sharedTopic || last.fields.text !== sharedTopic || from !== this.#sender ||
      this.#listBytes >= mostListBytes
    )
  }

  /** Adds a message. @param payload the payload before it was encoded */
  openSend (fields: FrameFields, payload: unknown): void {
    // The application may write to its buffer again before the turn ends.
    const body = fields.body === payload ? Buffer.from(fields.body!) : fields.body!
    const send: OpenSend = {
      index: this.#sends.length,
      fields: { ...fields, body },
      size: frameSize(fields),
      receivers: undefined
    }
    this.#sender = fields.from!
    this.#sends.push(send)
    this.#lastFor.set(fields.to!, send.index)
    if (fields.text !== this.#codec.sharedTopic) return
    const text = this.#textOf(payload)
    if (text !== undefined) return add(this.#byText, text, send)
    const key = this.#contentKey(fields)
    if (key !== undefined) add(this.#byContent, key, send)
  }

  /**
   * Returns the text of a payload. It identifies the encoded payload, because all payloads in
   * `#byText` have the same type.
   */
  #textOf (payload: unknown): string | undefined {
    try {
      if (this.#byText.size === 0) this.#textType = this.#codec.typeOf(payload)
      return this.#codec.textOf(payload, this.#textType)
    } catch {
      // A getter threw. The encoder handles such a payload.
      return undefined
    }
  }

  /** Identifies an encoded payload of the shared topic. @returns undefined if it is too long */
  #contentKey ({ text, kind, body }: FrameFields): string | undefined {
    if (text !== this.#codec.sharedTopic || body!.length > longestKey) return undefined
    const bytes = Buffer.from(body!.buffer, body!.byteOffset, body!.length)
    return `${kind}${bytes.toString('latin1')}`
  }

  /** Removes and returns all open sends: no receiver can join them any more. */
  closeAll (): ClosedSend[] {
    const closed = this.#sends.map(({ fields, size, receivers }) => ({
      fields: receivers === undefined ? fields : { ...fields, type: frameTypes.sendMany, to: 0 },
      size,
      receivers: receivers?.bytes
    }))
    this.clear()
    return closed
  }

  clear (): void {
    this.#sends.length = 0
    this.#byText.clear()
    this.#byContent.clear()
    this.#lastFor.clear()
    this.#listBytes = 0
  }
}

function add (map: Map<string, OpenSend[]>, key: string, send: OpenSend): void {
  const sends = map.get(key)
  if (sends === undefined) map.set(key, [send])
  else sends.push(send)
}

/** Binary search for the first send with at least this index. */
function firstFrom (sends: readonly OpenSend[], index: number): OpenSend | undefined {
  let low = 0
  let high = sends.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sends[middle].index < index) low = middle + 1
    else high = middle
  }
  return sends[low]
}
