/**
 * Shared by the receivers of one broadcast: the message is encoded once for each encoder. Nearly
 * always there is one encoder. Therefore the last encoding is in a field, which a receiver reads
 * without a call; {@link selectEncoder} exchanges it.
 */
export class Batch {
  /** The current encoder; undefined before the first receiver that encodes. */
  encoder: object | undefined = undefined
  /** The encoding of the current encoder; undefined before it is made. */
  encoded: unknown = undefined
  #others: Map<object, unknown> | undefined

  /** Makes an encoder the current one, with the encoding that it has made for this broadcast. */
  selectEncoder (encoder: object): void {
    if (this.encoder !== undefined) {
      this.#others ??= new Map()
      this.#others.set(this.encoder, this.encoded)
    }
    this.encoder = encoder
    this.encoded = this.#others?.get(encoder)
  }
}
