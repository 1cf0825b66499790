import { binaryFrame, textFrame, textFrameFromBytes } from './frames.js'
import { Slice } from '../shared/slice.js'
import type { Encoder } from '../connection/transport.js'

const empty = new Slice(Buffer.alloc(0))

/**
 * Makes the frames of messages to clients, before compression.
 *
 * It keeps the frame of the last text, so that sending one string to many clients frames it once.
 * Bytes are not kept, because they can change. A string cannot.
 */
export class WebSocketEncoder implements Encoder {
  /** Number of texts that were encoded. @internal */
  encodedTexts = 0
  #text: string | undefined
  #frame = empty

  encodeText (text: string): Slice {
    if (text !== this.#text) {
      this.encodedTexts++
      this.#frame = textFrame(text)
      this.#text = text
    }
    return this.#frame
  }

  encodeTextBytes (bytes: Uint8Array): Slice | undefined {
    return textFrameFromBytes(bytes)
  }

  encodeBinary (data: Uint8Array | string): Slice {
    return binaryFrame(data)
  }

  encodeTopic (topic: string, json: string): Slice {
    return textFrame(`{"topic":${JSON.stringify(topic)},"data":${json}}`)
  }

  /** Releases the last text and its frame. Called at the end of each loop iteration. */
  clearText (): void {
    this.#text = undefined
    this.#frame = empty
  }
}
