/** Receives the frames of a topic. */
export type Listener = (frame: Uint8Array) => void

interface Subscription {
  readonly listener: Listener
  confirmed: boolean
  /** Its promise was settled: it was confirmed once, or refused. */
  settled: boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/**
 * The topics that a node subscribes to, whether the engine can be reached or not. A transport
 * reports that it is up only after the engine has confirmed all of them. Frames of an unconfirmed
 * topic are not delivered.
 */
export class Subscriptions {
  readonly #byTopic = new Map<string, Subscription>()
  readonly #unconfirmed = new Set<string>()

  /** Adds a topic. Resolves when it is confirmed. A second listener replaces the first. */
  async add (topic: string, listener: Listener): Promise<void> {
    this.remove(topic, new Error('another listener took its place'))
    await new Promise<void>((resolve, reject) => {
      this.#unconfirmed.add(topic)
      this.#byTopic.set(topic, { listener, confirmed: false, settled: false, resolve, reject })
    })
  }

  /** Called when the engine has confirmed a topic. */
  confirm (topic: string): void {
    const subscription = this.#byTopic.get(topic)
    if (subscription === undefined) return
    this.#unconfirmed.delete(topic)
    subscription.confirmed = true
    subscription.settled = true
    subscription.resolve()
  }

  /** Called when the engine refuses a topic. @returns false if it was confirmed once: it stays */
  refuse (topic: string, why: Error): boolean {
    if (this.#byTopic.get(topic)?.settled === true) return false
    this.remove(topic, why)
    return true
  }

  /** Returns up to `most` topics that are not confirmed. */
  someUnconfirmed (most: number): string[] {
    const topics: string[] = []
    for (const topic of this.#unconfirmed) if (topics.push(topic) === most) break
    return topics
  }

  /** Called when the connection is lost: the engine forgets its subscriptions. */
  markUnconfirmed (): void {
    for (const [topic, subscription] of this.#byTopic) {
      subscription.confirmed = false
      this.#unconfirmed.add(topic)
    }
  }

  /** Removes a topic, and rejects its pending confirmation. @returns false if it was not there */
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
   * Delivers a frame. What a listener throws becomes an uncaught exception: thrown into the
   * engine's client it would silently end the loop that reads from the connection.
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
