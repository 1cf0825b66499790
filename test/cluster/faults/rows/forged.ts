// Batches that no node would publish: garbage, and forged frames in the name of a node.
import {
  batchTypes,
  decodeChannelHeader,
  decodeFrames,
  decodeSource,
  encodeChannelHeader,
  encodeFrame,
  encodeSource,
  version,
  type ChannelHeader,
  type FrameFields
} from '../../../../lib/cluster/link/codec.js'
import { frameTypes } from '../../../../lib/cluster/link/frame-types.js'

const noise = Buffer.from(Array.from({ length: 200 }, (_, i) => i * 37 & 0xff))

/** Batches that a node must count and drop, by the topic that they are published to. */
export interface Garbage {
  readonly inbox: Buffer[]
  readonly heartbeats: Buffer[]
  readonly broadcasts: Buffer[]
}

/**
 * @param node the name and incarnation in the batches
 * @param longest bytes of the longest frame of the engine
 */
export function garbageFor (node: string, incarnation: number, longest: number): Garbage {
  const source = (type: number = batchTypes.frames): Buffer =>
    encodeSource({ type, node, incarnation })
  const later = source()
  later[0] = version + 1
  const nameless = source()
  nameless.fill('*', 3, 3 + node.length)
  const broadcast = encodeFrame({ type: frameTypes.broadcast, text: 'news' }, 0)
  return {
    inbox: [
      Buffer.alloc(0),
      noise,
      Buffer.alloc(longest, 0xff),
      later,
      nameless,
      source().subarray(0, -1),
      source(),
      Buffer.concat([source(), encodeChannelHeader({ src: 0, dst: 0, ack: 0 })]),
      Buffer.concat([source(), encodeChannelHeader({ src: 2 ** 32 - 1, dst: 0, ack: 0 }), noise])
    ],
    heartbeats: [noise, later, source(), source(batchTypes.heartbeat)],
    broadcasts: [
      noise,
      Buffer.concat([source(), broadcast]),
      Buffer.concat([source(batchTypes.broadcast), broadcast.subarray(0, -1)]),
      Buffer.concat([
        source(batchTypes.broadcast),
        encodeFrame({ type: frameTypes.broadcast, text: 'news', kind: 9 }, 0)
      ])
    ]
  }
}

/** Listens to the frames of a node, and continues its channel in its name. */
export interface Forger {
  /** Called with each batch that is published to the inbox. */
  overhear (bytes: Uint8Array): void
  /** Each makes garbage in place of the next batch of that node, judged by the last one heard. */
  readonly batches: ReadonlyArray<() => Buffer>
}

export function forgedBy (node: string, incarnation: number): Forger {
  const source = (type: number = batchTypes.frames): Buffer =>
    encodeSource({ type, node, incarnation })
  let header: ChannelHeader = { src: 0, dst: 0, ack: 0 }
  let seq = 0
  const batch = (...parts: Buffer[]): Buffer =>
    Buffer.concat([source(), encodeChannelHeader(header), ...parts])
  const send = (): Buffer => encodeFrame({ type: frameTypes.send, to: 1, text: 'forged' }, seq + 1)
  /** Ten frames: one of them is the next, even if the last batch heard was a retransmission. */
  const next = (fields: FrameFields): Buffer =>
    batch(...Array.from({ length: 10 }, (_, i) => encodeFrame(fields, seq + 1 + i)))
  return {
    overhear (view) {
      const bytes = Buffer.from(view)
      const from = decodeSource(bytes)
      if (from?.node !== node || from.type !== batchTypes.frames) return
      const channel = decodeChannelHeader(bytes, from.end)!
      // Forged batches are heard too. A genuine one follows each of them.
      const last = decodeFrames(bytes, channel.end)?.at(-1)
      if (last === undefined) return
      header = channel
      seq = last.seq
    },
    batches: [
      () => batch(noise),
      () => batch(send().subarray(0, -3)),
      () => {
        const long = send()
        long.writeUInt32BE(2 ** 32 - 1, 0)
        return batch(long)
      },
      () => next({ type: 127, text: 'of a later version' }),
      () => next({ type: frameTypes.send, to: 1, kind: 9, text: 'forged' }),
      () => next({ type: frameTypes.send, to: 1, kind: 3, text: 'forged', body: noise }),
      () => Buffer.concat([source(), encodeChannelHeader({ ...header, ack: 2 ** 40 })]),
      () => Buffer.concat([source(batchTypes.ping), encodeChannelHeader(header)]),
      () => Buffer.concat([source(99), encodeChannelHeader(header)]),
      // Claims a new connection, with an invented number.
      () =>
        Buffer.concat([
          source(),
          encodeChannelHeader({ ...header, src: header.src + 1000, dst: 0 }),
          noise
        ])
    ]
  }
}
