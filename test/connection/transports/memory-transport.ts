// A transport without a network and without frames, in a wire format of its own.
import { closeCodes } from '../../../lib/connection/close-codes.js'
import { closedByClient } from '../../../lib/connection/close-reasons.js'
import { Slice } from '../../../lib/shared/slice.js'
import type { CloseReason } from '../../../lib/connection/close-codes.js'
import type {
  Encoded, Encoder, MessageWriter, Transport, TransportEvents
} from '../../../lib/connection/transport.js'
import type { Cancellable, Clock } from '../../../lib/shared/clock.js'

/** Writes a letter for the type, and then the text. It counts how often. */
export class MemoryEncoder implements Encoder {
  readonly #mark: string
  encodings = 0

  constructor (mark = '') {
    this.#mark = mark
  }

  encodeText (text: string): Encoded {
    return this.#encode('t', text)
  }

  encodeTextBytes (bytes: Uint8Array): Encoded {
    return this.#encode('t', Buffer.from(bytes).toString())
  }

  encodeBinary (data: Uint8Array | string): Encoded {
    return this.#encode('b', Buffer.from(data).toString())
  }

  encodeTopic (topic: string, json: string): Encoded {
    return this.#encode('t', `{"topic":${JSON.stringify(topic)},"data":${json}}`)
  }

  #encode (type: string, text: string): Encoded {
    this.encodings++
    return new Slice(Buffer.from(type + this.#mark + text))
  }
}

type Incoming = { readonly data: string | Buffer } | { readonly end: CloseReason }
type Outgoing = { readonly message: Encoded, readonly written: (() => void) | undefined }

/** Both ends of the transport: `Connection` has the one, and a test the other. */
export class MemoryTransport implements Transport, MessageWriter {
  readonly kind = 'ws'
  readonly writer = this
  readonly encoder: Encoder
  readonly #clock: Clock
  readonly #closeTimeout: number
  #events!: TransportEvents
  #state: 'open' | 'handing over' | 'closing' | 'closed' = 'open'
  #isPaused = false
  #incoming: Incoming[] = []
  #outgoing: Outgoing[] = []
  #isStalled = false
  /** The last message to the client. */
  #farewell: { readonly code: number | undefined, readonly reason: string } | undefined
  #timeout: Cancellable | undefined

  /** The encoded messages that the client has read. */
  readonly received: string[] = []
  /** The code and the reason that the client has read. */
  seen: { readonly code: number | undefined, readonly reason: string } | undefined
  isCut = false

  constructor (clock: Clock, closeTimeout: number, encoder: Encoder = new MemoryEncoder()) {
    this.#clock = clock
    this.#closeTimeout = closeTimeout
    this.encoder = encoder
  }

  // For the connection

  get isPaused (): boolean {
    return this.#isPaused
  }

  open (events: TransportEvents): void {
    this.#events = events
  }

  redirect (events: TransportEvents): TransportEvents {
    const before = this.#events
    this.#events = events
    return before
  }

  pause (): void {
    if (this.#state === 'open') this.#isPaused = true
  }

  resume (): void {
    this.#isPaused = false
    this.#deliver()
  }

  handOver (): void {
    this.#state = 'handing over'
    this.resume()
    this.#events.onHandedOver()
  }

  close ({ code, clientReason }: CloseReason): void {
    this.#state = 'closing'
    this.#incoming = []
    if (clientReason === undefined) return this.#cut()
    this.#farewell = { code, reason: clientReason }
    this.#timeout = this.#clock.after(this.#closeTimeout, () => { this.#cut() })
    this.#write()
  }

  get bufferedBytes (): number {
    return this.#outgoing.reduce((sum, { message }) => sum + message.length, 0)
  }

  allowsBurst (): boolean {
    return false
  }

  sendEncoded (message: Encoded, written?: () => void): void {
    this.#outgoing.push({ message, written })
    this.#write()
  }

  // For the client

  send (data: string | Buffer): void {
    this.#incoming.push({ data })
    this.#deliver()
  }

  leave (code: number | undefined, reason: string): void {
    this.#incoming.push({ end: closedByClient(code, reason) })
    this.#deliver()
  }

  vanish (): void {
    this.#events.onTransportError(new Error('vanished'))
    this.#events.onTransportEnd(closeCodes.lost)
  }

  stall (): void {
    this.#isStalled = true
  }

  read (): void {
    this.#isStalled = false
    this.#write()
  }

  #deliver (): void {
    while (!this.#isPaused && (this.#state === 'open' || this.#state === 'handing over')) {
      const next = this.#incoming.shift()
      if (next === undefined) return
      if ('end' in next) this.#events.onTransportEnd(next.end)
      else {
        const hasRoom = this.#events.onMessage(next.data, Buffer.byteLength(next.data))
        if (!hasRoom && this.#state === 'open') this.#isPaused = true
      }
    }
  }

  #write (): void {
    while (!this.#isStalled && this.#outgoing.length > 0) {
      const { message, written } = this.#outgoing.shift()!
      this.received.push(message.bytes.toString())
      written?.()
    }
    if (this.#isStalled || this.#farewell === undefined || this.#state === 'closed') return
    this.seen = this.#farewell
    this.#closed()
  }

  #cut (): void {
    this.isCut = true
    this.#outgoing = []
    this.#closed()
  }

  #closed (): void {
    this.#state = 'closed'
    this.#timeout?.cancel()
    this.#clock.later(() => { this.#events.onTransportClose() })
  }
}
