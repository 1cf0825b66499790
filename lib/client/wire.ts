// The wire in negotiated mode. A *control* is a text frame that begins with U+0000.
// A text of the application that begins so gets one more, which the other side removes.

/** The subprotocol that negotiates. */
export const subprotocol = 'v1.ws-relay'

/** The first frame of the server. */
export interface Hello {
  /** Absent: this session cannot be resumed. */
  readonly token?: string
  /** Milliseconds for which a lost session can be resumed. */
  readonly window: number
  /** The number of the next data message on this socket. */
  readonly from: number
  /** How many messages of the client the server has taken. */
  readonly received: number
  readonly resumed: boolean
  /** Why it was not resumed. */
  readonly why?: string
  /** The handler's choice. */
  readonly protocol: string
}

/** @returns undefined when the data is no JSON object */
export function parseJson<T> (data: string | ArrayBuffer): T | undefined {
  // An ArrayBuffer has no such index.
  if ((data as string)[0] !== '{') return undefined
  try {
    return JSON.parse(data as string) as T
  } catch {
    return undefined // a text like any other
  }
}

/** @returns undefined when the frame is no hello */
export function parseHello (data: string | ArrayBuffer): Hello | undefined {
  return parseJson(data.slice(0, 2) === '\0h' ? data.slice(2) : '')
}

const encoder = new TextEncoder()

/** Bytes on the wire. */
export function sizeOf (data: string | Uint8Array | ArrayBuffer): number {
  return typeof data === 'string' ? encoder.encode(data).length : data.byteLength
}
