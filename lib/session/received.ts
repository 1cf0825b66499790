import { ackFrame } from './controls.js'
import type { MessageWriter } from '../connection/transport.js'

/** An acknowledgement is due after so many messages of the client, or so many bytes. */
const ackEvery = { messages: 64, bytes: 64 * 1024 }

/** Counts the data messages of the client that its target has taken, and acknowledges them. */
export class Received {
  /** In the whole session. */
  count = 0
  // Those that are not acknowledged yet.
  #messages = 0
  #bytes = 0
  /** Whether the answer to a ping waits for the kernel, and was asked for again meanwhile. */
  #answer: 'none' | 'queued' | 'asked again' = 'none'

  /** @returns whether an acknowledgement is due */
  countMessage (bytes: number): boolean {
    this.count++
    this.#messages++
    this.#bytes += bytes
    return this.#messages >= ackEvery.messages || this.#bytes >= ackEvery.bytes
  }

  /** Called when the client learns the number in another way: by a hello. */
  acknowledged (): void {
    this.#messages = this.#bytes = 0
    this.#answer = 'none'
  }

  /** Called before the close frame, which no answer may follow. */
  stopAnswering (): void {
    this.#answer = 'none'
  }

  sendAck (writer: MessageWriter, written?: () => void): void {
    this.#messages = this.#bytes = 0
    writer.sendEncoded(ackFrame(this.count), written)
  }

  /** Answers once per write, so that a flood of pings does not become a flood of answers. */
  answerPing (writer: MessageWriter): void {
    if (this.#answer !== 'none') {
      this.#answer = 'asked again'
      return
    }
    this.#answer = 'queued'
    this.sendAck(writer, () => {
      const isAskedAgain = this.#answer === 'asked again'
      this.#answer = 'none'
      if (isAskedAgain) this.answerPing(writer)
    })
  }
}
