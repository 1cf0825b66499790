import { NativeSender } from './native-sender.js'
import type { Slice } from '../shared/slice.js'
import type { SendMany } from './native.js'
import type { Batch, Sender } from './sender.js'

/** Numbers of one entry: the descriptor, and the offset and the length of its bytes. */
const entrySize = 3
/** Entries of one call. */
const maxEntries = 1024
/** Bytes of one call. The same chunk for many sockets counts once. */
const arenaSize = 256 * 1024

/**
 * Sends the chunks of many sockets in one native call, or in a few if there are many.
 *
 * No foreign code runs from the moment in which the state of a socket is read until its bytes are
 * sent. Otherwise it could close the socket, and the descriptor could be that of another one. So
 * the senders get their results when all chunks are sent.
 */
export class NativeBatch implements Batch {
  readonly #sendMany: SendMany
  readonly #arena = Buffer.allocUnsafeSlow(arenaSize)
  readonly #entries = new Int32Array(entrySize * maxEntries)
  /** Entries and bytes of the next call. */
  #count = 0
  #used = 0
  /** The chunk that was copied last: the members of a room get the same one. */
  #lastChunk: Slice | undefined
  #lastOffset = 0
  // Of all calls for one list of senders.
  #senders: NativeSender[] = []
  #chunks: Slice[] = []
  #results: number[] = []

  constructor (sendMany: SendMany) {
    this.#sendMany = sendMany
  }

  sendAll (senders: readonly Sender[]): void {
    for (const sender of senders) {
      const chunk = sender instanceof NativeSender ? sender.chunkForBatch() : undefined
      if (chunk !== undefined) this.#add(sender as NativeSender, chunk)
    }
    this.#send()
    const served = this.#senders
    const chunks = this.#chunks
    const results = this.#results
    this.#senders = []
    this.#chunks = []
    this.#results = []
    for (const [i, sender] of served.entries()) sender.batchSent(chunks[i], results[i])
  }

  #add (sender: NativeSender, chunk: Slice): void {
    if (this.#count === maxEntries) this.#send()
    if (chunk !== this.#lastChunk) {
      if (this.#used + chunk.length > arenaSize) this.#send()
      this.#lastOffset = this.#used
      // Not `copy`, which copies less without an error if there is too little room.
      this.#arena.set(chunk.bytes, this.#used)
      this.#used += chunk.length
      this.#lastChunk = chunk
    }
    const entry = this.#count * entrySize
    this.#entries[entry] = sender.descriptor
    this.#entries[entry + 1] = this.#lastOffset
    this.#entries[entry + 2] = chunk.length
    this.#count++
    this.#senders.push(sender)
    this.#chunks.push(chunk)
  }

  #send (): void {
    const count = this.#count
    if (count === 0) return
    this.#sendMany(this.#entries, count, this.#arena)
    this.#count = 0
    this.#used = 0
    this.#lastChunk = undefined
    for (let i = 0; i < count; i++) this.#results.push(this.#entries[i * entrySize + 2])
  }
}
