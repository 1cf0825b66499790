import * as wsExports from 'ws'
import { maskedFrame } from '../load/frames.js'
import { WebSocketEncoder } from '../../lib/websocket/encoder.js'
import { textFrame } from '../../lib/websocket/frames.js'
import { FrameParser } from '../../lib/websocket/parser.js'
import { unmaskLoaded } from '../../lib/websocket/unmask.js'
import { repeat, time, type Case, type TimingOptions } from './timing.js'

// `ws` exports these, but its types do not declare them.
const { Receiver, Sender } = wsExports as unknown as {
  Receiver: new (
    options: object
  ) => NodeJS.WritableStream & { on(event: 'message', listener: (data: Buffer) => void): void }
  Sender: { frame(data: Buffer, options: object): Buffer[] }
}

const runs = 100
const inOneRead = 16
const maxPayload = 1 << 20

/** Writes and parses frames, compared with `ws`. Both parse a copy of the input. */
export async function frames (options: TimingOptions) {
  await unmaskLoaded
  const cases: Case[] = []
  for (const size of [200, 4096]) {
    const text = 'fast '.repeat(size / 5).padEnd(size, '!')
    const encoder = new WebSocketEncoder()
    const seen = { bytes: 0, characters: 0 }
    const encode = (name: string, baseline: string | undefined, make: () => number): void => {
      cases.push({
        name: `${name}, ${size} B`,
        baseline: baseline && `${baseline}, ${size} B`,
        operations: runs,
        run: repeat(runs, () => {
          seen.bytes += make()
        })
      })
    }
    encode('encode: Sender of ws', undefined, () => {
      const [header, payload] = Sender.frame(Buffer.from(text), {
        fin: true,
        rsv1: false,
        opcode: 1,
        mask: false,
        readOnly: false
      })
      return header.length + (payload?.length ?? 0)
    })
    encode('encode: ours', 'encode: Sender of ws', () => textFrame(text).length)
    encode(
      'encode: ours, the same string again',
      'encode: Sender of ws',
      () => encoder.encodeText(text).length
    )

    const chunk = Buffer.concat(new Array<Buffer>(inOneRead).fill(maskedFrame(text)))
    const receiver = new Receiver({ isServer: true, maxPayload, allowSynchronousEvents: true })
    receiver.on('message', (data) => { seen.characters += data.toString().length })
    const none = (): void => {}
    const parser = new FrameParser({
      onMessage (message) {
        seen.characters += message.length
        return true
      },
      onCompressed: () => true,
      onPing: none,
      onPong: none,
      onCloseFrame: none,
      onViolation: none
    }, maxPayload, 1024, false)
    const parse = (
      name: string,
      baseline: string | undefined,
      push: (chunk: Buffer) => void
    ): void => {
      cases.push({
        name: `${name}, ${size} B`,
        baseline: baseline && `${baseline}, ${size} B`,
        operations: runs * inOneRead,
        run: repeat(runs, () => {
          push(Buffer.from(chunk))
        })
      })
    }
    parse('parse: Receiver of ws', undefined, (bytes) => { receiver.write(bytes) })
    parse('parse: ours', 'parse: Receiver of ws', (bytes) => { parser.parseChunk(bytes) })
  }
  return await time(cases, options)
}
