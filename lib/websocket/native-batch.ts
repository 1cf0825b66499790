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
 * Sends the chunks of many sockets in one native call.
 *
 * No foreign code runs from the moment in which a descriptor is read until its bytes are sent.
 * Otherwise a callback could close the socket, and the descriptor could be that of another one.
 */
export class NativeBatch implements Batch {
  readonly #sendMany: SendMany
  readonly #arena = Buffer.allocUnsafeSlow(arenaSize)
  readonly #entries = new Int32Array(entrySize * maxEntries)
  #senders: NativeSender[] = []
  #chunks: Slice[] = []
  #used = 0
  /** The chunk that was copied last: the members of a room get the same one. */
  #lastChunk: Slice | undefined
  #lastOffset = 0

  constructor (sendMany: SendMany) {
    this.#sendMany = sendMany
  }

  sendAll (senders: readonly Sender[]): void {
    for (const sender of senders) {
      const chunk = sender instanceof NativeSender ? sender.chunkForBatch() : undefined
      if (chunk !== undefined) this.#add(sender as NativeSender, chunk)
    }
    this.#send()
  }

  #add (sender: NativeSender, chunk: Slice): void {
    if (this.#senders.length === maxEntries) this.#send()
    if (chunk !== this.#lastChunk) {
      if (this.#used + chunk.length > arenaSize) this.#send()
      this.#lastOffset = this.#used
      // Not `copy`, which copies less without an error if there is too little room.
      this.#arena.set(chunk.bytes, this.#used)
      this.#used += chunk.length
      this.#lastChunk = chunk
    }
    const entry = this.#senders.length * entrySize
    this.#entries[entry] = sender.descriptor
    this.#entries[entry + 1] = this.#lastOffset
    this.#entries[entry + 2] = chunk.length
    this.#senders.push(sender)
    this.#chunks.push(chunk)
  }

  #send (): void {
    const senders = this.#senders
    const chunks = this.#chunks
    if (senders.length === 0) return
    this.#sendMany(this.#entries, senders.length, this.#arena)
    this.#senders = []
    this.#chunks = []
    this.#used = 0
    this.#lastChunk = undefined
    for (const [i, sender] of senders.entries()) {
      sender.batchSent(chunks[i], this.#entries[i * entrySize + 2])
    }
  }
}
