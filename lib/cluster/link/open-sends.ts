import { frameTypes } from './frame-types.js'
import { NumberList } from './number-list.js'
import { frameSize } from './codec.js'
import { maxFrameBytes } from './fragments.js'
import type { FrameFields } from './codec.js'

/** The topic of frames for clients. Only such sends may change places, and only those to different receivers. */
const clientTopic = 'ws.send'
/** Contents up to this size are looked up among all open sends; a longer one is compared with the last. */
const longestKey = 16 * 1024
/** Bytes of lists of receivers that are kept before the sends are closed. */
const mostListBytes = 1024 * 1024
/** Bytes that one more receiver takes at most. */
const longestNumber = 7

/** A send that was taken in this turn of the event loop, and has no place in the channel yet. */
interface OpenSend {
  /** Its place among the open ones. */
  readonly index: number
  readonly fields: FrameFields
  /** Bytes of the frame without the list of its receivers. */
  readonly size: number
  /** Present from the second receiver on. */
  receivers: NumberList | undefined
}

/** A send whose receivers are complete. */
export interface ClosedSend {
  /** A `send` to one receiver, or a `sendMany` without its list. */
  readonly fields: FrameFields
  readonly size: number
  readonly receivers: Buffer | undefined
}

/**
 * The last sends of this turn, to which further receivers can be added: a loop that sends one payload to many
 * connections of a node makes one frame of it.
 *
 * Each receiver gets what it is sent in that order. A payload goes to an earlier frame only if no later one is for the
 * same receiver, and no frame other than a `ws.send` of the same sender stands between: nothing but sockets can tell.
 */
export class OpenSends {
  readonly #sends: OpenSend[] = []
  readonly #byText = new Map<string, OpenSend[]>()
  readonly #byContent = new Map<string, OpenSend[]>()
  /** The last open send for each receiver. */
  readonly #lastFor = new Map<number, number>()
  #sender = 0
  /** The `type` in the payloads of {@link #byText}. */
  #textType: unknown
  #listBytes = 0

  get length (): number {
    return this.#sends.length
  }

  /**
   * Adds a receiver to an open send of the same payload, before it is encoded: a client's text, known by its string.
   * @returns whether there is one
   */
  joinText (to: number, from: number, payload: unknown): boolean {
    if (this.#byText.size === 0 || from !== this.#sender) return false
    const text = this.#textOf(payload)
    return text !== undefined && this.#addReceiver(to, this.#byText.get(text))
  }

  /** The same for a payload that was encoded, known by its bytes. */
  joinContent (fields: FrameFields): boolean {
    const last = this.#sends.at(-1)
    if (last === undefined || fields.from !== this.#sender || fields.text !== last.fields.text) return false
    const key = contentKey(fields)
    if (key !== undefined) return this.#addReceiver(fields.to!, this.#byContent.get(key))
    const { kind, body } = last.fields
    return fields.kind === kind && Buffer.compare(fields.body!, body!) === 0 && this.#addReceiver(fields.to!, [last])
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

  /** Whether the open sends have to be closed before this one: it may not change places with them. */
  mustCloseBefore ({ from, text }: FrameFields): boolean {
    const last = this.#sends.at(-1)
    return last !== undefined && (text !== clientTopic || last.fields.text !== clientTopic || from !== this.#sender || this.#listBytes >= mostListBytes)
  }

  /** @param payload of which the body was made */
  openSend (fields: FrameFields, payload: unknown): void {
    // The sender may write to its bytes again before the turn ends.
    const body = fields.body === payload ? Buffer.from(fields.body!) : fields.body!
    const send: OpenSend = { index: this.#sends.length, fields: { ...fields, body }, size: frameSize(fields), receivers: undefined }
    this.#sender = fields.from!
    this.#sends.push(send)
    this.#lastFor.set(fields.to!, send.index)
    if (fields.text !== clientTopic) return
    const text = this.#textOf(payload)
    if (text !== undefined) return add(this.#byText, text, send)
    const key = contentKey(fields)
    if (key !== undefined) add(this.#byContent, key, send)
  }

  /** The text of a payload `{ type, data }` that encodes to the same bytes each time, of the type that is looked for. */
  #textOf (payload: unknown): string | undefined {
    if (typeof payload !== 'object' || payload === null || Object.getPrototypeOf(payload) !== Object.prototype) return undefined
    try {
      for (const key in payload) if (key !== 'type' && key !== 'data') return undefined
      const { type, data } = payload as { type?: unknown, data?: unknown }
      if (typeof data !== 'string') return undefined
      if (this.#byText.size === 0) this.#textType = type
      return type === this.#textType ? data : undefined
    } catch {
      // A getter throws: the payload is encoded, or refused, as any other.
      return undefined
    }
  }

  /** Closes all: what comes next is another frame. */
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

/** What a client's payload is known by once it is encoded; undefined: too long. */
function contentKey ({ text, kind, body }: FrameFields): string | undefined {
  if (text !== clientTopic || body!.length > longestKey) return undefined
  return `${kind}${Buffer.from(body!.buffer, body!.byteOffset, body!.length).toString('latin1')}`
}

function add (map: Map<string, OpenSend[]>, key: string, send: OpenSend): void {
  const sends = map.get(key)
  if (sends === undefined) map.set(key, [send])
  else sends.push(send)
}

/** The first of sends in their order that has at least this index. */
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
