import { ackFrame } from './controls.js'
import type { MessageWriter } from '../connection/transport.js'

/** An acknowledgement is due after so many messages of the client, or so many bytes. */
const ackEvery = { messages: 64, bytes: 64 * 1024 }

/**
 * Counts the data messages of the client that its target has taken, and acknowledges them.
 *
 * It is a base class of a session and no object of its own, as `Unacknowledged`.
 */
export class Received {
  /** Whether the answer to a ping waits for the kernel, and was asked for again meanwhile. */
  #answer: 'none' | 'queued' | 'asked again' = 'none'
  // Messages and bytes that are not acknowledged yet.
  #dueMessages = 0
  #dueBytes = 0
  /** Messages in the whole session. */
  protected received = 0

  /** @returns whether an acknowledgement is due */
  protected countReceived (bytes: number): boolean {
    this.received++
    this.#dueMessages++
    this.#dueBytes += bytes
    return this.#dueMessages >= ackEvery.messages || this.#dueBytes >= ackEvery.bytes
  }

  /** Called when the client learns the number in another way: by a hello. */
  protected receivedIsKnown (): void {
    this.#dueMessages = this.#dueBytes = 0
    this.#answer = 'none'
  }

  /** Called before the close frame, which no answer may follow. */
  protected stopAnswering (): void {
    this.#answer = 'none'
  }

  protected sendAck (writer: MessageWriter, written?: () => void): void {
    this.#dueMessages = this.#dueBytes = 0
    writer.sendEncoded(ackFrame(this.received), written)
  }

  /** Answers once per write, so that a flood of pings does not become a flood of answers. */
  protected answerPing (writer: MessageWriter): void {
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
