import { closeCodes } from '../connection/close-codes.js'
import { helloFrame } from './controls.js'
import type { CloseReason } from '../connection/close-codes.js'
import type { OpenConnection, RelayServer } from '../connection/relay-server.js'
import type { Transport, TransportEvents } from '../connection/transport.js'

/**
 * The socket of a client whose session has ended while it was away: it gets a hello, and the close
 * code and reason that it has missed. The server waits for its closing handshake.
 */
export class Farewell implements TransportEvents, OpenConnection {
  readonly #relay: RelayServer
  readonly transport: Transport
  readonly isOpen = false

  constructor (relay: RelayServer, transport: Transport) {
    this.#relay = relay
    this.transport = transport
  }

  say (reason: CloseReason): void {
    const { transport } = this
    this.#relay.connections.add(this)
    transport.open(this)
    const why = 'ended'
    const hello = { window: 0, from: 1, received: 0, resumed: false, why, protocol: '' } as const
    transport.writer.sendEncoded(helloFrame(hello))
    // A connection that was cut had no close frame.
    const { exited } = closeCodes
    const isCut = reason.clientReason === undefined
    transport.close(isCut
      ? { ...reason, code: exited.code, clientReason: exited.clientReason }
      : reason)
  }

  /** The transport is closing already. */
  end (): void {}

  // After `close` a transport calls `onTransportClose` only.

  onMessage (): boolean {
    return true
  }

  onTransportEnd (): void {}

  onHandedOver (): void {}

  onTransportError (): void {}

  onTransportClose (): void {
    this.#relay.connectionClosed(this)
  }
}
