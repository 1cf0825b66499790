import type { RegisterEntry } from '../../../types/cluster.js'

/**
 * One connection to an engine, from dialled to lost. It never reconnects: what a client queues,
 * resends or subscribes again by itself would come late, double, or not at all.
 */
export interface Session {
  /** Bytes of the largest frame that the engine takes. */
  readonly maxFrame: number
  /** Resolves when the connection is lost or closed. */
  readonly lost: Promise<void>
  /** @returns false: too much is unflushed */
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
 * Connects and makes sure of all that a node needs of the engine. Rejects with a coded error for
 * what no retry can mend; gives up, and leaves no socket, when the signal fires.
 */
export type Dial = (deliver: (topic: string, frame: Uint8Array) => void, signal: AbortSignal) => Promise<Session>

/** Bytes that were published and not yet seen by the engine before it is sent no more. */
export const maxUnflushed = 16 * 1024 * 1024
