import { connect, type Socket } from 'node:net'
import { FrameCounter, maskedFrame, opcodes } from './frames.js'

/** The messages and the opening of a client, by the protocol of the server under test. */
export interface Protocol {
  /** The path of the upgrade. */
  path (room: number | undefined): string
  /** A message as it is sent over the wire in both directions. */
  text (payload: string): string
  /** The answers to the first messages of the server. After these the client is open. */
  readonly opening: readonly (Buffer | undefined)[]
  /** The subprotocol that it offers. */
  readonly offer?: string
  /** An acknowledgement of this many messages. */
  acknowledge? (messages: number): Buffer
}

export const protocols: Record<'ws' | 'json' | 'resume' | 'socket.io', Protocol> = {
  ws: {
    path: (room) => (room === undefined ? '/echo' : `/room/${room}`),
    text: (payload) => payload,
    opening: []
  },
  // docs/protocol.md: the server answers with the same topic and the same data.
  json: {
    path: (room) => protocols.ws.path(room),
    text: (payload) => `{"topic":"say","data":{"text":"${payload}"}}`,
    opening: []
  },
  // docs/resume.md: the server begins with a hello, which is acknowledged at once.
  resume: {
    path: (room) => protocols.ws.path(room),
    text: (payload) => payload,
    opening: [maskedFrame('\u0000a0')],
    offer: 'v1.ws-relay',
    acknowledge: (messages) => maskedFrame(`\u0000a${messages}`)
  },
  // Engine.IO 4: the server opens, the client asks for the namespace, the server agrees.
  'socket.io': {
    path: (room) =>
      `/socket.io/?EIO=4&transport=websocket${room === undefined ? '' : `&room=${room}`}`,
    text: (payload) => `42["say","${payload}"]`,
    opening: [maskedFrame('40'), undefined]
  }
}

/** Receives the events of a client. */
export interface Listener {
  opened (client: Client): void
  /** The number of messages in one read. */
  answered (client: Client, count: number): void
  failed (client: Client, problem: string): void
  pinged? (): void
}

const goodbye = maskedFrame('', opcodes.close)
const pong = maskedFrame('', opcodes.pong)
// All clients share one buffer, because each read is counted before anything else runs. This is not
// possible on Windows, where a read begins before bytes are available.
const shared = process.platform === 'win32' ? undefined : Buffer.alloc(256 * 1024)
const longestHandshake = 8192
/** As our own client: an acknowledgement is due after so many messages, or so many bytes. */
const ackEvery = { messages: 128, bytes: 32 * 1024 }
/** Two bytes and 16 digits. */
const longestAck = 18

/** One connection to the server under test. It needs less CPU than the server's end. */
export class Client {
  readonly room: number
  readonly socket: Socket
  readonly #counter: FrameCounter
  readonly #listener: Listener
  readonly #protocol: Protocol
  readonly #expected: number
  readonly #ackEvery: number
  #acknowledged = 0
  #head = ''
  #state: 'upgrading' | 'opening' | 'open' | 'over' = 'upgrading'

  /** @param expected the bytes of each message */
  constructor (
    port: number,
    path: string,
    room: number,
    protocol: Protocol,
    expected: number,
    listener: Listener
  ) {
    this.room = room
    this.#protocol = protocol
    this.#expected = expected
    this.#listener = listener
    this.#ackEvery = Math.min(ackEvery.messages, Math.ceil(ackEvery.bytes / expected))
    this.#counter = new FrameCounter((opcode) => {
      this.#control(opcode)
    })
    const callback = (length: number, bytes: Uint8Array): boolean => {
      this.#read(bytes, length)
      return true
    }
    this.socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: shared ?? Buffer.alloc(64 * 1024), callback }
    })
    this.socket.on('error', (error) => {
      this.#fail(error.message)
    })
    this.socket.on('end', () => {
      this.#fail('the server has closed the connection')
    })
    this.socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n` +
        'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
        (protocol.offer === undefined ? '' : `Sec-WebSocket-Protocol: ${protocol.offer}\r\n`) +
        '\r\n'
    )
  }

  /** The number of messages with a wrong type or length. */
  get wrong (): number {
    return this.#counter.wrong
  }

  send (frames: Buffer): void {
    this.socket.write(frames)
  }

  /** Acknowledges everything that was received, if the protocol has that. */
  acknowledge (): void {
    const { acknowledge, opening } = this.#protocol
    if (acknowledge === undefined) return
    this.#acknowledged = this.#counter.messages
    this.socket.write(acknowledge(this.#acknowledged - opening.length))
  }

  /** Sends a close frame like a browser. The server ends the connection. */
  close (): void {
    this.#state = 'over'
    this.socket.write(goodbye)
    this.socket.end()
  }

  #read (bytes: Uint8Array, length: number): void {
    const start = this.#state === 'upgrading' ? this.#upgrade(bytes, length) : 0
    if (this.#state === 'upgrading' || this.#state === 'over') return
    const before = this.#counter.messages
    this.#counter.read(bytes, start, length)
    let count = this.#counter.messages - before
    if (this.#state === 'opening') count = this.#open(count)
    if (count === 0 || this.#state !== 'open') return
    if (this.#counter.messages - this.#acknowledged >= this.#ackEvery) this.acknowledge()
    this.#listener.answered(this, count)
  }

  /** @returns the offset of the first frame */
  #upgrade (bytes: Uint8Array, length: number): number {
    const known = this.#head.length
    this.#head += Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1')
    const end = this.#head.indexOf('\r\n\r\n')
    if (end === -1) {
      if (this.#head.length > longestHandshake) this.#fail('the handshake has no end')
      return length
    }
    if (!this.#head.startsWith('HTTP/1.1 101 ')) {
      this.#fail(`refused: ${this.#head.slice(0, this.#head.indexOf('\r\n'))}`)
      return length
    }
    this.#head = ''
    this.#state = 'opening'
    if (this.#protocol.opening.length === 0) this.#open(0)
    return end + 4 - known
  }

  /** @returns the number of messages after the opening */
  #open (count: number): number {
    const { opening } = this.#protocol
    const all = this.#counter.messages
    for (const frame of opening.slice(all - count, all)) {
      if (frame !== undefined) this.socket.write(frame)
    }
    if (all < opening.length) return 0
    this.#state = 'open'
    this.#counter.expected = this.#expected
    if (this.#protocol.acknowledge !== undefined) this.#counter.longestAck = longestAck
    this.#listener.opened(this)
    return all - opening.length
  }

  #control (opcode: number): void {
    if (opcode === opcodes.close) this.#fail('the server has closed the connection')
    else {
      this.#listener.pinged?.()
      this.socket.write(pong)
    }
  }

  #fail (problem: string): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.socket.destroy()
    this.#listener.failed(this, problem)
  }
}
