// The memory engine for nodes in operating-system processes of their own. The hub is in the test's
// process, and each node has a pipe to it.
import { memory, type MemoryHub } from '../../../lib/cluster/engines/memory.js'
import type { RegisterEntry, ClusterTransport, TransportEvents } from '../../../types/cluster.js'

/** Sent by a node to the hub. */
export type Question =
  | { readonly id: number, readonly method: 'open' | 'close' }
  | { readonly id: number, readonly method: 'flush', readonly timeout: number }
  | {
    readonly id: number
    readonly method: 'subscribe' | 'unsubscribe' | 'probe' | 'get'
    readonly key: string
  }
  | {
    readonly id: number
    readonly method: 'cas'
    readonly key: string
    readonly value: Uint8Array | undefined
    readonly revision: number
  }
  | { readonly method: 'publish', readonly key: string, readonly frame: Uint8Array }

/** Sent by the hub to a node. */
export type HubNews =
  | { readonly id: number, readonly value?: unknown, readonly error?: string }
  | { readonly up: boolean }
  | { readonly key: string, readonly frame: Uint8Array }

type Asked<Q = Question> = Q extends { readonly id: number } ? Omit<Q, 'id'> : never

/** The node's end of the pipe. */
export class PipeTransport implements ClusterTransport {
  readonly caps = {
    name: 'memory, over a pipe',
    maxFrame: 1024 * 1024,
    registry: true,
    probe: true
  }

  readonly #post: (question: Question) => void
  readonly #listeners = new Map<string, (frame: Uint8Array) => void>()
  readonly #answers = new Map<
    number,
    { resolve: (value: unknown) => void, reject: (error: Error) => void }
  >()

  #events: TransportEvents | undefined
  #up = false
  #last = 0

  constructor (post: (question: Question) => void) {
    this.#post = post
  }

  handleNews (news: HubNews): void {
    if ('up' in news) {
      this.#up = news.up
      this.#events?.state(news.up)
    } else if ('frame' in news) this.#listeners.get(news.key)?.(news.frame)
    else {
      const answer = this.#answers.get(news.id)
      this.#answers.delete(news.id)
      if (news.error === undefined) answer?.resolve(news.value)
      else answer?.reject(new Error(news.error))
    }
  }

  async open (events: TransportEvents): Promise<void> {
    this.#events = events
    await this.#ask({ method: 'open' })
  }

  async close (): Promise<void> {
    this.#events = undefined
    this.#up = false
    await this.#ask({ method: 'close' })
  }

  publish (key: string, frame: Uint8Array): boolean {
    if (!this.#up || frame.length > this.caps.maxFrame) return false
    this.#post({ method: 'publish', key, frame })
    return true
  }

  async flush (timeout: number): Promise<void> {
    await this.#ask({ method: 'flush', timeout })
  }

  async subscribe (key: string, listener: (frame: Uint8Array) => void): Promise<void> {
    this.#listeners.set(key, listener)
    await this.#ask({ method: 'subscribe', key })
  }

  async unsubscribe (key: string): Promise<void> {
    this.#listeners.delete(key)
    await this.#ask({ method: 'unsubscribe', key })
  }

  async probe (key: string): Promise<boolean | undefined> {
    return (await this.#ask({ method: 'probe', key })) as boolean | undefined
  }

  async get (key: string): Promise<RegisterEntry | undefined> {
    return (await this.#ask({ method: 'get', key })) as RegisterEntry | undefined
  }

  async cas (key: string, value: Uint8Array | undefined, revision: number): Promise<number> {
    return (await this.#ask({ method: 'cas', key, value, revision })) as number
  }

  async #ask (question: Asked): Promise<unknown> {
    const id = ++this.#last
    return await new Promise((resolve, reject) => {
      this.#answers.set(id, { resolve, reject })
      this.#post({ ...question, id } as Question)
    })
  }
}

/** The hub's end of a node's pipe. */
export class HubEnd {
  readonly #transport: ClusterTransport
  readonly #post: (news: HubNews) => void

  constructor (hub: MemoryHub, post: (news: HubNews) => void) {
    this.#transport = memory({ hub }).transport
    this.#post = post
  }

  handleQuestion (question: Question): void {
    if (question.method === 'publish') {
      // A full hub drops it, as any engine may: the channel sends it again.
      this.#transport.publish(question.key, question.frame)
      return
    }
    const { id } = question
    this.#run(question).then(
      (value) => {
        this.#post({ id, value })
      },
      (error: unknown) => {
        this.#post({ id, error: String(error) })
      }
    )
  }

  async close (): Promise<void> {
    await this.#transport.close()
  }

  async #run (question: Exclude<Question, { method: 'publish' }>): Promise<unknown> {
    const transport = this.#transport
    switch (question.method) {
      case 'open':
        return await transport.open({
          state: (up) => {
            this.#post({ up })
          }
        })
      case 'close':
        return await transport.close()
      case 'flush':
        return await transport.flush(question.timeout)
      case 'subscribe':
        return await transport.subscribe(question.key, (frame) => {
          this.#post({ key: question.key, frame })
        })
      case 'unsubscribe':
        return await transport.unsubscribe(question.key)
      case 'probe':
        return await transport.probe(question.key)
      case 'get':
        return await transport.get(question.key)
      case 'cas':
        return await transport.cas(question.key, question.value, question.revision)
    }
  }
}
