import type { Clock } from '../../../shared/clock.js'
import type { RegisterEntry } from '../../../../types/cluster.js'

/**
 * One connection to an engine, until it is lost. It never reconnects: if a client queues, resends
 * or resubscribes by itself, frames come late, twice or not at all.
 */
export interface Session {
  /** Bytes of the largest frame that the engine accepts. */
  readonly maxFrame: number
  /** Resolves when the connection is lost or closed. */
  readonly lost: Promise<void>
  /** @returns false if too many bytes are unflushed */
  publish (topic: string, frame: Uint8Array): boolean
  flush (): Promise<void>
  /** Resolves when the engine has confirmed it. */
  subscribe (topic: string): Promise<void>
  unsubscribe (topic: string): Promise<void>
  probe (topic: string): Promise<boolean>
  get (key: string): Promise<RegisterEntry | undefined>
  cas (key: string, value: Uint8Array | undefined, revision: number): Promise<number>
  close (): Promise<void>
}

/**
 * Connects to the engine, and checks everything that a node needs there. Rejects with a coded error
 * if no retry can help. When the signal fires it gives up and leaves no socket.
 *
 * @param clock of the node, for everything that the session waits for
 */
export type Dial = (
  deliver: (topic: string, frame: Uint8Array) => void,
  signal: AbortSignal,
  clock: Clock
) => Promise<Session>

/** `publish` refuses frames while this many published bytes have not reached the engine. */
export const maxUnflushed = 16 * 1024 * 1024
