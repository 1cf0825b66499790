import type { Pid } from '../../../types/pid.js'

/**
 * Reads and writes the messages of connections that travel between nodes. The room of connections
 * implements it, so that the cluster knows no topic and no field of these messages. A payload of a
 * client is the one that its connection sends to its target.
 */
export interface ConnectionCodec {
  // Messages to a connection

  /**
   * Receivers of equal messages of this topic share one frame. Such messages may be reordered, but
   * only between different receivers.
   */
  readonly sharedTopic: string
  /**
   * Whether a message of a topic changes or ends a connection. It must not be refused only because
   * the channel is full of other frames for that connection.
   */
  isUrgent (topic: string): boolean
  /** The type of a payload, if it has one. @throws what a getter of the payload throws */
  typeOf (payload: unknown): unknown
  /**
   * The text of a payload that consists of a text and this type. Two payloads with the same text
   * and the same type are equal.
   * @returns undefined for any other payload
   * @throws what a getter of the payload throws
   */
  textOf (payload: unknown, type: unknown): string | undefined

  // Messages of a client to its target

  /** Whether a payload was made by the connection of this client. */
  isOfClient (payload: unknown, client: Pid): boolean
  /** The part of a client's payload that is the same in most of them: sent once, and kept. */
  metadataOf (payload: unknown): unknown
  /**
   * Whether a payload is a message of the client. The others are about the connection, or about a
   * time.
   */
  isMessage (payload: unknown): boolean
  /** Text or bytes of the client, if the payload has them: sent as they are. */
  dataOf (payload: unknown): string | Uint8Array | undefined
  /** All other fields of a client's payload. */
  contentOf (payload: unknown): object
  /** Makes the payload from {@link dataOf}. */
  fromData (data: string | Uint8Array, client: Pid, metadata: unknown): object
  /** Makes the payload from {@link contentOf}. @returns undefined if the content is garbage */
  fromContent (content: unknown, client: Pid, metadata: unknown): object | undefined

  // Join and leave

  /** The topic that tells a target that a client has joined it. */
  readonly joinTopic: string
  /** The topic that tells a target that a client has left it. */
  readonly leaveTopic: string
  /**
   * The payload of a leave that the client's node will not or cannot send.
   * @param why the target's node closes, or the client's node was lost
   */
  leaveOf (client: Pid, metadata: unknown, why: 'node closing' | 'node lost'): object
}
