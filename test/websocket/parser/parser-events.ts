// A parser whose events are recorded, and frames as a client sends them.
import { FrameParser } from '../../../lib/websocket/parser.js'
import type { Test } from 'tap'
import type { ParserEvents, ViolationCode } from '../../../lib/websocket/parser-events.js'

export type Event =
  | [name: 'text', data: string]
  | [name: 'binary' | 'compressed', data: string]
  | [name: 'ping' | 'pong', data: string]
  | [name: 'close', code: number, reason: string]
  | [name: 'violation', code: ViolationCode, reason: string]

/**
 * Records the events of a parser. `then` runs inside each event; `go` is the result of a message.
 */
export class Log implements ParserEvents {
  events: Event[] = []
  data: Buffer[] = []
  go: () => boolean = () => true
  /** Whether the last message was answered with false, and nothing resumed the parser since. */
  stopped = false
  then: (event: Event) => void = () => {}

  onMessage (message: Buffer | string, bytes: number): boolean {
    const isText = typeof message === 'string'
    if (Buffer.byteLength(message) !== bytes) throw new Error('a wrong number of bytes')
    this.data.push(isText ? Buffer.from(message) : message)
    return this.#addMessage(isText ? ['text', message] : ['binary', message.toString('hex')])
  }

  onCompressed (data: Buffer, _binary: boolean): boolean {
    this.data.push(data)
    return this.#addMessage(['compressed', data.toString('hex')])
  }

  #addMessage (event: Event): boolean {
    this.#add(event)
    const goesOn = this.go()
    this.stopped = !goesOn
    return goesOn
  }

  onPing (data: Buffer): void { this.#add(['ping', data.toString()]) }
  onPong (data: Buffer): void { this.#add(['pong', data.toString()]) }
  onCloseFrame (code: number, reason: string): void { this.#add(['close', code, reason]) }
  onViolation (code: ViolationCode, reason: string): void { this.#add(['violation', code, reason]) }

  /** Resumes a parser. The next message may stop it again. */
  resume (parser: FrameParser): void {
    this.stopped = false
    parser.resumeParsing()
  }

  #add (event: Event): void {
    this.events.push(event)
    this.then(event)
  }
}

export interface Options { maxPayload?: number, maxFragments?: number, deflate?: boolean }

export function build (
  { maxPayload = 1 << 20, maxFragments = 16, deflate = false }: Options = {}
): {
    log: Log
    parser: FrameParser
  } {
  const log = new Log()
  return { log, parser: new FrameParser(log, maxPayload, maxFragments, deflate) }
}

interface Bits { fin?: boolean, rsv?: number, mask?: readonly number[] | null, length?: bigint }

/** Makes a client frame. Options can make each part of it invalid. */
export function client (
  opcode: number,
  payload: Uint8Array | string = '',
  { fin = true, rsv = 0, mask = [0x12, 0x89, 0xff, 0x04], length }: Bits = {}
): Buffer {
  const data = Buffer.from(payload as string)
  const announced = length ?? BigInt(data.length)
  const bytes = [(fin ? 0x80 : 0) | (rsv << 4) | opcode]
  const masked = mask === null ? 0 : 0x80
  const extended = (count: number): number[] =>
    Array.from({ length: count }, (_, i) =>
      Number((announced >> BigInt(8 * (count - 1 - i))) & 0xffn)
    )
  if (announced < 126n) bytes.push(masked | Number(announced))
  else if (announced < 65536n) bytes.push(masked | 126, ...extended(2))
  else bytes.push(masked | 127, ...extended(8))
  if (mask !== null) {
    bytes.push(...mask)
    data.forEach((byte, i) => {
      data[i] = byte ^ mask[i % 4]
    })
  }
  return Buffer.concat([Buffer.from(bytes), data])
}

export const text = (data: string, bits?: Bits): Buffer => client(1, data, bits)
export const binary = (data: Uint8Array | string, bits?: Bits): Buffer => client(2, data, bits)
export const more = (data: Uint8Array | string, fin = false): Buffer => client(0, data, { fin })
export const begin = (data: Uint8Array | string, opcode = 1): Buffer =>
  client(opcode, data, { fin: false })
export const close = (payload: Uint8Array | string = ''): Buffer => client(8, payload)
export const closing = (code: number, reason: Uint8Array | string = ''): Buffer =>
  close(Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason as string)]))

export function octets (bytes: Buffer, to: (octet: Buffer) => void): void {
  for (const byte of bytes) to(Buffer.from([byte]))
}

/** Returns the events of these bytes. Asserts that parsing them byte by byte gives the same. */
export function eventsOf (t: Test, bytes: Buffer, options?: Options): Event[] {
  const dripped = build(options)
  octets(bytes, octet => dripped.parser.parseChunk(octet))
  const whole = build(options)
  whole.parser.parseChunk(Buffer.from(bytes))
  t.strictSame(dripped.log.events, whole.log.events, 'whole and octet by octet')
  t.equal(whole.parser.bytesWaiting, dripped.parser.bytesWaiting)
  return whole.log.events
}

export function bytesOf (size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 0xff))
}
