/** What takes the frames of a topic. */
export type Listener = (frame: Uint8Array) => void

interface Subscription {
  readonly listener: Listener
  confirmed: boolean
  /** It was confirmed before, or refused: nobody waits for it. */
  settled: boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/**
 * The topics that one node wants, whether the engine is there or not: all of them are confirmed
 * before it is called up. Nothing is delivered from a topic that is not confirmed.
 */
export class Subscriptions {
  readonly #byTopic = new Map<string, Subscription>()
  readonly #unconfirmed = new Set<string>()

  /** Wants a topic. A second listener takes the place of the first. @returns when it is confirmed */
  async add (topic: string, listener: Listener): Promise<void> {
    this.remove(topic, new Error('another listener took its place'))
    await new Promise<void>((resolve, reject) => {
      this.#unconfirmed.add(topic)
      this.#byTopic.set(topic, { listener, confirmed: false, settled: false, resolve, reject })
    })
  }

  /** The engine has confirmed a topic. */
  confirm (topic: string): void {
    const subscription = this.#byTopic.get(topic)
    if (subscription === undefined) return
    this.#unconfirmed.delete(topic)
    subscription.confirmed = true
    subscription.settled = true
    subscription.resolve()
  }

  /** The engine refuses a topic. @returns false: it was confirmed before, and stays wanted */
  refuse (topic: string, why: Error): boolean {
    if (this.#byTopic.get(topic)?.settled === true) return false
    this.remove(topic, why)
    return true
  }

  /** Some of the topics that are not confirmed; none: all are. */
  someUnconfirmed (most: number): string[] {
    const topics: string[] = []
    for (const topic of this.#unconfirmed) if (topics.push(topic) === most) break
    return topics
  }

  /** The engine is gone, and its subscriptions with it. */
  markUnconfirmed (): void {
    for (const [topic, subscription] of this.#byTopic) {
      subscription.confirmed = false
      this.#unconfirmed.add(topic)
    }
  }

  /** Wants a topic no longer; what waits for its confirmation is told why. @returns whether it was wanted */
  remove (topic: string, why: Error): boolean {
    this.#byTopic.get(topic)?.reject(why)
    this.#unconfirmed.delete(topic)
    return this.#byTopic.delete(topic)
  }

  clear (why: Error): void {
    for (const topic of this.topics()) this.remove(topic, why)
  }

  isConfirmed (topic: string): boolean {
    return this.#byTopic.get(topic)?.confirmed === true
  }

  topics (): string[] {
    return [...this.#byTopic.keys()]
  }

  /**
   * A listener that throws is an uncaught error of its own: thrown into a client it would end, in
   * silence, the loop that reads the connection.
   */
  deliver (topic: string, frame: Uint8Array): void {
    const subscription = this.#byTopic.get(topic)
    if (!subscription?.confirmed) return
    try {
      subscription.listener(frame)
    } catch (error) {
      queueMicrotask(() => { throw error })
    }
  }
}
