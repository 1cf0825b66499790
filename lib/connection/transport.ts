import type { Slice } from '../shared/slice.js'
import type { Producer } from '../shared/watermark.js'
import type { ConnectionInfo } from '../../types/info.js'
import type { CloseReason } from './close-codes.js'

/** A message in the wire format of one encoder. Many receivers share it, so nobody changes it. */
export type Encoded = Slice

/**
 * Writes messages to clients in one wire format. It knows no client: a broadcast is encoded once
 * for all receivers with the same encoder. It copies bytes, so the caller may change them later.
 */
export interface Encoder {
  /** Encodes a text. A lone surrogate becomes U+FFFD. */
  encodeText (text: string): Encoded
  /** Encodes a text that is already UTF-8. @returns undefined if the bytes are not UTF-8 */
  encodeTextBytes (bytes: Uint8Array): Encoded | undefined
  /** @param data a string stands for its UTF-8 bytes */
  encodeBinary (data: Uint8Array | string): Encoded
  /** Encodes a topic that is forwarded to the client. @param json its payload */
  encodeTopic (topic: string, json: string): Encoded
}

/**
 * The half of a transport that takes the messages to the client. It is an object of its own, which
 * a broadcast reaches without a look at the other half.
 */
export interface MessageWriter {
  readonly encoder: Encoder
  /** Bytes that wait for the client. */
  readonly bufferedBytes: number
  /**
   * Called when more than `limit` bytes wait. @returns whether another message may follow, because
   * the client had no time yet to read the others
   */
  allowsBurst (limit: number): boolean
  /** @param written called when the message has left; never called if the client is lost before */
  sendEncoded (message: Encoded, written?: () => void): void
}

/**
 * The way to one client, for example a WebSocket. It delivers what the client sends to a
 * {@link TransportEvents}, and finds out by itself whether the client is still there.
 *
 * | call | what follows |
 * | --- | --- |
 * | `open` | `onMessage` for each message, from the next event of the event loop |
 * | `handOver` | `onMessage` for what was read before, then `onHandedOver`, at least once |
 * | `close` | `onTransportClose` once; before it only `onTransportError` and `written` |
 */
export interface Transport extends Producer {
  readonly kind: ConnectionInfo['kind']
  /** The transport that it holds. Only that of a client with a limit holds one for all its life. */
  readonly inner?: Transport
  /** The same object as long as the transport lives. */
  readonly writer: MessageWriter
  /** Whether `onMessage` returned false, or `pause` was called, and `resume` was not since. */
  readonly isPaused: boolean
  /** Whether it is not read because the client is over its limit. Absent without a limit. */
  readonly isLimited?: boolean
  /** Milliseconds for which the client has been away; undefined while it is connected. */
  readonly away?: number | undefined
  /** Calls back when the client has all messages up to now. Absent if it cannot acknowledge. */
  whenAcknowledged? (callback: () => void): void
  /**
   * Tells the client to come back on another socket: absent if it cannot.
   * @param by milliseconds until the present socket is closed
   * @returns false if the client is away, or the transport is closing
   */
  adviseReconnect? (by: number): boolean
  /**
   * Tells the client about a message that its protocol refuses: absent if it cannot be told.
   * @param report JSON
   */
  reportInvalid? (report: string): void
  /** Called once, before any other method. */
  open (events: TransportEvents): void
  /**
   * From now on another owner gets the events.
   * @returns the owner until now; undefined before `open`
   */
  redirect (events: TransportEvents): TransportEvents | undefined
  /**
   * Stops reading until `resume`. One more message may be delivered, if it was read before. A
   * client whose first message is needed is read until it has sent one.
   */
  pause (): void
  /** Delivers further messages while `isPaused`. Otherwise it has no effect. */
  resume (): void
  /**
   * Delivers all messages that were read before, even if `onMessage` returns false. Nothing more is
   * read of the client, except how it ends.
   */
  handOver (): void
  /**
   * Ends the transport after the messages that still wait for the client. The client gets the code
   * and the reason, or it is cut if there is no `clientReason`. Messages of the client are dropped.
   */
  close (reason: CloseReason): void
}

/** The owner of a transport. */
export interface TransportEvents {
  /**
   * Called with a message of the client: a string for a text. Untrusted.
   * @param message bytes may be kept
   * @param bytes of the message: of a text in UTF-8
   * @returns false to stop reading until `resume`
   */
  onMessage (message: Buffer | string, bytes: number): boolean
  /**
   * Called when the client has closed, is lost or breaks a rule. The owner then calls `handOver`
   * or `close`. After `lost` this is called again if what was read contains a better reason.
   */
  onTransportEnd (reason: CloseReason): void
  /** Called when all messages that were read before `handOver` are delivered. */
  onHandedOver (): void
  /** For the log. `onTransportEnd` follows. */
  onTransportError (err: Error): void
  /** Called at last, when nothing of the transport is open any more. */
  onTransportClose (): void
}
