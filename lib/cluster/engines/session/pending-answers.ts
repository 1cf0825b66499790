import type { Clock } from '../../../shared/clock.js'

/** How long an answer may take. */
export interface AnswerLimit {
  readonly clock: Clock
  /** Milliseconds. */
  readonly timeout: number
  /** Makes the error of an answer that takes longer. */
  readonly late: () => Error
}

/**
 * Answers of an engine that somebody waits for. Each one settles: with the answer, with a timeout,
 * or when the connection is lost. The promises of an engine's client may never settle.
 */
export class PendingAnswers {
  readonly #waiting = new Set<(error: Error) => void>()

  async waitFor<T> (answer: Promise<T>, { clock, timeout, late }: AnswerLimit): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      // After the event loop was blocked, timers run before sockets are read. One more turn lets an
      // answer win that has already arrived.
      const timer = clock.after(timeout, () => {
        clock.later(() => { settle(() => { reject(late()) }) })
      })
      const cut = (error: Error): void => { settle(() => { reject(error) }) }
      const settle = (how: () => void): void => {
        timer.cancel()
        this.#waiting.delete(cut)
        how()
      }
      this.#waiting.add(cut)
      answer.then((value) => { settle(() => { resolve(value) }) }, cut)
    })
  }

  /** Called when the connection is lost: no answer will come. */
  rejectAll (error: Error): void {
    for (const cut of [...this.#waiting]) cut(error)
  }
}
