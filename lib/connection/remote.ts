import type { ConnectionCodec } from '../process/remote/connection-codec.js'
import type { Metadata, WsLeave } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'

/** The payload of a message that a connection sends to its target. */
interface ClientPayload {
  readonly client_pid: Pid
  readonly metadata: unknown
  /** Present in a message of the client. */
  readonly type?: 'text' | 'binary' | 'json'
  readonly data?: unknown
}

/** The fields of a leave that the node of the target makes. */
const leaves = {
  'node closing': { reason: 'node closing', code: 1012, cause: 'target' },
  'node lost': { reason: 'node lost', code: undefined, cause: 'lost' }
} as const satisfies Record<string, Pick<WsLeave, 'reason' | 'code' | 'cause'>>

/**
 * The messages of connections between nodes: `ws.send`, `ws.close` and `ws.control` to a
 * connection, and the messages of its client to a target.
 */
export const connectionCodec: ConnectionCodec = {
  sharedTopic: 'ws.send',
  isUrgent: (topic) => topic === 'ws.close' || topic === 'ws.control',

  typeOf: (payload) => (payload as { type?: unknown } | null | undefined)?.type,

  textOf (payload, wanted) {
    if (typeof payload !== 'object' || payload === null) return undefined
    if (Object.getPrototypeOf(payload) !== Object.prototype) return undefined
    for (const key in payload) if (key !== 'type' && key !== 'data') return undefined
    const { type, data } = payload as { type?: unknown, data?: unknown }
    return type === wanted && typeof data === 'string' ? data : undefined
  },

  isOfClient (payload, client) {
    if (typeof payload !== 'object' || payload === null) return false
    return (payload as ClientPayload).client_pid === client && 'metadata' in payload
  },

  metadataOf: (payload) => (payload as ClientPayload).metadata,

  isMessage: (payload) => (payload as ClientPayload).type !== undefined,

  dataOf (payload) {
    const { type, data } = payload as ClientPayload
    return type === undefined || type === 'json' ? undefined : data as string | Uint8Array
  },

  contentOf (payload) {
    const { client_pid: _client, metadata: _metadata, ...content } = payload as ClientPayload
    return content
  },

  fromData: (data, client, metadata) => typeof data === 'string'
    ? { type: 'text', data, client_pid: client, metadata }
    : { type: 'binary', data, client_pid: client, metadata },

  fromContent (content, client, metadata) {
    if (typeof content !== 'object' || content === null) return undefined
    if (Array.isArray(content) || ArrayBuffer.isView(content)) return undefined
    // The content cannot set these two fields.
    return { ...content, client_pid: client, metadata }
  },

  joinTopic: 'ws.join',
  leaveTopic: 'ws.leave',

  leaveOf (client, metadata, why) {
    const leave: WsLeave = { client_pid: client, ...leaves[why], metadata: metadata as Metadata }
    return leave
  }
}
