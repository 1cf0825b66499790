// Bytes of a client, split at any place: messages with each size of header, whole and fragmented,
// with
// control frames between them, and sometimes a violation at the end. RFC 6455 sections 5 to 8.
import fc from 'fast-check'
import { closeCodes } from '../../../lib/connection/close-codes.js'
import { normalizeOptions } from '../../../lib/registration/options.js'
import { opcodes } from '../../../lib/websocket/frames.js'
import { WebSocketTransport } from '../../../lib/websocket/transport.js'
import { closeOf, frameOf } from '../../client-frames.js'
import { webSocketServer } from '../../websocket/server.js'
import { FakeClient } from './fake-client.js'
import { equal, suiteOf } from '../suite.js'
import type { TransportEvents } from '../../../lib/connection/transport.js'
import type { ViolationCode } from '../../../lib/websocket/parser-events.js'

const maxPayload = 70_000
const maxFragments = 4

const size = fc.oneof(
  fc.nat(20),
  fc.constantFrom(0, 1, 124, 125, 126, 127, 300, 65_535, 65_536, maxPayload - 1, maxPayload)
)
const mask = fc.constantFrom(0, 0x12fe3489, -1, 0x00ff00ff)
const letters = ['a', 'é', '€', '😀']
const message = fc.record({
  is: fc.constant('message' as const),
  size,
  letter: fc.constantFrom(...letters),
  binary: fc.boolean(),
  mask,
  fragments: fc.array(fc.nat(1000), { maxLength: maxFragments - 1 }),
  pings: fc.boolean()
})
const control = fc.record({
  is: fc.constantFrom('ping' as const, 'pong' as const),
  size: fc.constantFrom(0, 1, 124, 125),
  mask
})
type Message = typeof message extends fc.Arbitrary<infer M> ? M : never
type Control = typeof control extends fc.Arbitrary<infer C> ? C : never

const bytes = (...values: number[]): Buffer => Buffer.from(values)
const text = (data: string | Buffer, fin = true): Buffer => frameOf(opcodes.text, data, { fin })
const more = (data: string | Buffer, fin = true): Buffer =>
  frameOf(opcodes.continuation, data, { fin })
const code = (value: number): Buffer => bytes(value >> 8, value & 0xff)

/** How a client ends the connection, and the event that the parser must emit. */
const endings: Record<string, readonly [frames: readonly Buffer[], reported: string]> = {
  'no close': [[], ''],
  'an empty close': [[closeOf()], 'close 1005 '],
  'a close': [[closeOf(1000, 'bye')], 'close 1000 bye'],
  'the last code': [[closeOf(4999, 'é'.repeat(61))], `close 4999 ${'é'.repeat(61)}`],
  'a close that may not be sent': [[closeOf(1005)], 'violation 1002'],
  'a close below all codes': [[closeOf(999)], 'violation 1002'],
  'a close of no registered code': [[closeOf(1015)], 'violation 1002'],
  'a close between the ranges': [[closeOf(2999)], 'violation 1002'],
  'a close above all codes': [[closeOf(5000)], 'violation 1002'],
  'half a code': [[frameOf(opcodes.close, bytes(3))], 'violation 1002'],
  'a reason that is no text': [
    [frameOf(opcodes.close, Buffer.concat([code(1000), bytes(0xff)]))],
    'violation 1007'
  ],
  'a reserved bit': [[frameOf(opcodes.text, 'x', { rsv1: true })], 'violation 1002'],
  'another reserved bit': [[bytes(0xa1, 0x80, 0, 0, 0, 0)], 'violation 1002'],
  'a data opcode that is not one': [[frameOf(3)], 'violation 1002'],
  'a control opcode that is not one': [[frameOf(11)], 'violation 1002'],
  'a ping in pieces': [[frameOf(opcodes.ping, '', { fin: false })], 'violation 1002'],
  'a ping too long': [[frameOf(opcodes.ping, 'x'.repeat(126))], 'violation 1002'],
  'no mask': [[bytes(0x81, 1, 0x61)], 'violation 1002'],
  'a continuation of nothing': [[more('x')], 'violation 1002'],
  'a message inside another': [[text('x', false), text('y')], 'violation 1002'],
  'bad text': [[text(bytes(0xc0, 0xaf))], 'violation 1007'],
  'a surrogate': [[text(bytes(0xed, 0xa0, 0x80))], 'violation 1007'],
  'bad text in pieces': [[text(bytes(0xe2), false), more(bytes(0x28, 0xa1))], 'violation 1007'],
  'bad text of many': [
    [text(Buffer.concat([Buffer.alloc(200, 'a'), bytes(0xff)]))],
    'violation 1007'
  ],
  'one octet too many': [[frameOf(opcodes.binary, Buffer.alloc(maxPayload + 1))], 'violation 1009'],
  'one octet too many, in pieces': [
    [frameOf(opcodes.binary, Buffer.alloc(maxPayload), { fin: false }), more('x')],
    'violation 1009'
  ],
  'an enormous length': [[bytes(0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)], 'violation 1009'],
  'one fragment too many': [
    [
      text('x', false),
      ...Array.from({ length: maxFragments - 1 }, () => more('', false)),
      more('')
    ],
    'violation 1008'
  ]
}

/** Records what a client says. It may stop the transport after a message. */
class Note implements TransportEvents {
  readonly reported: string[] = []
  readonly data: Buffer[] = []
  stops = 0
  #stopsAfter: number

  constructor (stopsAfter: number) {
    this.#stopsAfter = stopsAfter
  }

  onMessage (message: Buffer | string): boolean {
    this.reported.push(typeof message === 'string' ? 'text' : 'binary')
    this.data.push(typeof message === 'string' ? Buffer.from(message) : message)
    if (this.#stopsAfter === 0 || this.reported.length % this.#stopsAfter !== 0) return true
    this.stops++
    return false
  }

  control (what: string, data: Buffer): void {
    this.reported.push(what)
    this.data.push(Buffer.from(data))
  }

  onTransportEnd (): void {}
  onHandedOver (): void {}
  onTransportError (): void {}
  onTransportClose (): void {}
}

/** A transport that tells a note also the frames that it handles by itself. */
class ToldTransport extends WebSocketTransport {
  readonly #note: Note

  constructor (note: Note, client: FakeClient) {
    const { route } = normalizeOptions({ maxPayload })
    const server = webSocketServer({ maxFragments })
    super({ server, socket: client, settings: route, deflate: undefined })
    this.#note = note
    this.open(note)
  }

  override onPing (data: Buffer): void { this.#note.control('ping', data) }
  override onPong (data: Buffer): void { this.#note.control('pong', data) }

  override onCloseFrame (code: number, reason: string): void {
    this.#note.reported.push(`close ${code} ${reason}`)
  }

  override onViolation (code: ViolationCode): void { this.#note.reported.push(`violation ${code}`) }
}

/** Text that fills the given number of bytes as far as possible. */
function payloadOf ({ size, letter, binary }: Message): Buffer {
  if (binary) return Buffer.alloc(size, 0xfe)
  const one = Buffer.from(letter)
  return Buffer.concat([
    Buffer.alloc(size % one.length, 'z'),
    Buffer.alloc(size - (size % one.length), one)
  ])
}

interface Script { frames: Buffer[], reported: string[], data: Buffer[] }

function write (script: Script, item: Message | Control): void {
  if (item.is !== 'message') {
    const payload = Buffer.alloc(item.size, item.is)
    script.frames.push(frameOf(opcodes[item.is], payload, { mask: item.mask }))
    script.reported.push(item.is)
    script.data.push(payload)
    return
  }
  const payload = payloadOf(item)
  const cuts = [
    ...item.fragments
      .map((part) => Math.floor((payload.length * part) / 1000))
      .sort((a, b) => a - b),
    payload.length
  ]
  let start = 0
  for (const [i, end] of cuts.entries()) {
    const opcode = i > 0 ? opcodes.continuation : item.binary ? opcodes.binary : opcodes.text
    script.frames.push(
      frameOf(opcode, payload.subarray(start, end), { fin: i === cuts.length - 1, mask: item.mask })
    )
    start = end
    if (item.pings && i < cuts.length - 1) write(script, { is: 'ping', size: 1, mask: item.mask })
  }
  script.reported.push(item.binary ? 'binary' : 'text')
  script.data.push(payload)
}

const history = fc.record({
  items: fc.array(fc.oneof({ weight: 3, arbitrary: message }, { weight: 1, arbitrary: control }), {
    maxLength: 6
  }),
  ending: fc.constantFrom(...Object.keys(endings)),
  /** The sizes of the reads, repeated; none means one read. */
  reads: fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 100, max: 70_000 })), {
    maxLength: 4
  }),
  stopsAfter: fc.nat(3)
})

export const wire = suiteOf('wire', history, async ({ items, ending, reads, stopsAfter }) => {
  const script: Script = { frames: [], reported: [], data: [] }
  for (const item of items) write(script, item)
  const [last, end] = endings[ending]
  if (end !== '') script.reported.push(end)
  // Bytes after the end are ignored.
  const input = Buffer.concat([
    ...script.frames,
    ...last,
    ...(end === '' ? [] : [frameOf(opcodes.text, 'too late')])
  ])
  const note = new Note(stopsAfter)
  const client = new FakeClient()
  const transport = new ToldTransport(note, client)
  const length = Math.max(1, input.length)
  // Only short input is parsed byte by byte: long input would take too long.
  const steps = input.length > 5000 ? reads.filter((read) => read >= 100) : reads
  for (let at = 0, i = 0; at < input.length; i++) {
    const read = steps.length === 0 ? length : steps[i % steps.length]
    const before = note.reported.length
    const wasPaused = transport.isPaused
    const bytes = Buffer.from(input.subarray(at, at + read))
    if (i % 2 === 0) transport.onSocketData(bytes)
    else {
      transport.onBorrowedData(bytes, bytes.length)
      bytes.fill(0xff)
    }
    if (wasPaused) equal(note.reported.length, before, 'what was told while it is paused')
    if (i % 3 === 2) transport.resume()
    at += read
  }
  for (let i = 0; transport.isPaused; i++) {
    equal(i <= note.reported.length, true, 'stops')
    transport.resume()
  }
  equal(note.reported.join(), script.reported.join(), 'what the client said')
  for (const [i, data] of script.data.entries()) {
    equal(note.data[i].equals(data), true, `the octets of ${note.reported[i]} ${i}`)
  }
  if (end === '') equal(transport.partialFrameBytes, 0, 'octets held between frames')
  transport.close(closeCodes.killed)
})
