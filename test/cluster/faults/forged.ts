// What no node would publish into the inbox of another.
import { batchTypes, encodeChannelHeader, encodeFrame, encodeSource, version } from '../../../lib/cluster/codec.js'
import { types } from '../../../lib/cluster/frames.js'

/**
 * @param node whose name is used, with its incarnation
 * @returns garbage that is counted and dropped, and batches for which the channel of that node begins anew
 */
export function forgedBy (node: string, incarnation: number): { readonly garbage: Buffer[], readonly forged: Array<() => Buffer> } {
  const source = (type: number = batchTypes.frames): Buffer => encodeSource({ type, node, incarnation })
  const noise = Buffer.from(Array.from({ length: 200 }, (_, i) => i * 37 & 0xff))
  const later = source()
  later[0] = version + 1
  const nameless = source()
  nameless.fill('*', 3, 3 + node.length)
  const garbage = [
    Buffer.alloc(0),
    noise,
    Buffer.alloc(64 * 1024, 0xff),
    later,
    nameless,
    source().subarray(0, -1),
    source(),
    Buffer.concat([source(), encodeChannelHeader({ src: 0, dst: 0, ack: 0 })]),
    Buffer.concat([source(), encodeChannelHeader({ src: 2 ** 32 - 1, dst: 0, ack: 0 }), noise])
  ]
  // The forger does not know the number of the channel, and takes one that is above it for certain.
  let above = Math.floor(Date.now() / 1000)
  const channel = (): Buffer => encodeChannelHeader({ src: above += 1000, dst: 0, ack: 0 })
  const frame = encodeFrame({ type: types.send, to: 1, text: 'forged' }, 1)
  const long = Buffer.from(frame)
  long.writeUInt32BE(2 ** 32 - 1, 0)
  const forged = [
    () => Buffer.concat([source(), channel(), noise]),
    () => Buffer.concat([source(), channel(), frame.subarray(0, -3)]),
    () => Buffer.concat([source(), channel(), long]),
    () => Buffer.concat([source(), channel(), encodeFrame({ type: 127, text: 'of a later version' }, 1)]),
    () => Buffer.concat([source(), channel(), encodeFrame({ type: types.down, text: 'boom', kind: 3, body: noise }, 1), encodeFrame({ type: types.send, to: 1, kind: 9, text: 'forged' }, 2)]),
    () => Buffer.concat([source(batchTypes.ping), channel()]),
    () => Buffer.concat([source(99), channel()])
  ]
  return { garbage, forged }
}
