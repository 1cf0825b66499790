/**
 * Answers that are waited for: each comes, or is late, or is cut off with the connection. A client's
 * own promises may do none of these.
 */
export class PendingAnswers {
  readonly #waiting = new Set<(error: Error) => void>()

  /** @param late the error when it took longer than `timeout` milliseconds */
  async waitFor<T> (timeout: number, answer: Promise<T>, late: () => Error): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      // An event loop that was blocked runs its timers before it reads what has come meanwhile.
      const timer = setTimeout(() => { setImmediate(() => { settle(() => { reject(late()) }) }) }, timeout)
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

  /** Nothing that is waited for will come. */
  rejectAll (error: Error): void {
    for (const cut of [...this.#waiting]) cut(error)
  }
}
