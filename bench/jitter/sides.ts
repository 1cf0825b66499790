/** A server that numbers its clients. Each has its number in the query: `id=7`. */
export interface Served {
  readonly port: number
  send (id: number, text: string): void
  close (): Promise<void>
}

export interface Connected {
  send (text: string): void
  close (): void
}

/** The events of a client. */
export interface Watch {
  opened (): void
  received (text: string): void
  /** The client has another session than before: the server does not know it any more. */
  reset (): void
}

/** One of the systems that are compared. */
export interface Side {
  serve (received: (id: number, text: string) => void): Promise<Served>
  connect (port: number, id: number, watch: Watch): Connected
}
