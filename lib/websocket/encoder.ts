import { binaryFrame, textFrame, textFrameFromBytes } from './frames.js'
import type { Encoder } from '../connection/transport.js'

const empty = Buffer.alloc(0)

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
  #frame: Buffer = empty

  encodeText (text: string): Buffer {
    if (text !== this.#text) {
      this.encodedTexts++
      this.#frame = textFrame(text)
      this.#text = text
    }
    return this.#frame
  }

  encodeTextBytes (bytes: Uint8Array): Buffer | undefined {
    return textFrameFromBytes(bytes)
  }

  encodeBinary (data: Uint8Array | string): Buffer {
    return binaryFrame(data)
  }

  encodeTopic (topic: string, json: string): Buffer {
    return textFrame(`{"topic":${JSON.stringify(topic)},"data":${json}}`)
  }

  /** Releases the last text and its frame. Called at the end of each loop iteration. */
  clearText (): void {
    this.#text = undefined
    this.#frame = empty
  }
}
