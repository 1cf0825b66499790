/**
 * Answers of an engine that somebody waits for. Each one settles: with the answer, with a timeout,
 * or when the connection is lost. The promises of an engine's client may never settle.
 */
export class PendingAnswers {
  readonly #waiting = new Set<(error: Error) => void>()

  /** @param late makes the error if the answer takes longer than `timeout` milliseconds */
  async waitFor<T> (timeout: number, answer: Promise<T>, late: () => Error): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      // After the event loop was blocked, timers run before sockets are read. One more turn lets an
      // answer win that has already arrived.
      const timer = setTimeout(() => {
        setImmediate(() => { settle(() => { reject(late()) }) })
      }, timeout)
      const cut = (error: Error): void => { settle(() => { reject(error) }) }
      const settle = (how: () => void): void => {
        clearTimeout(timer)
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
