// The socket of the page, and its watches: what the page wants to see, and the last answer to each.
import { connect } from '../../client/index.js'
import type { StateEvent } from '../../../types/client.js'
import type {
  Acted, ActionRequest, Answer, ClientRequest, Hello, Problem, ServerTopics, WatchRequest
} from '../frames.js'

export type Wish = Omit<WatchRequest, 'id'>

/** One thing that the page watches. */
export interface Watch {
  readonly id: string
  readonly wish: Wish
  /** The newest answer, or that of the watch before it, of the same view: see `isOld`. */
  answer: Answer | undefined
  /** Whether `answer` is of the watch before it. */
  isOld: boolean
  /** The server refused it, and sends no more answers. */
  problem: Problem | undefined
}

/** An action without its id. */
export type Order = ActionRequest extends infer Each
  ? Each extends unknown ? Omit<Each, 'id'> : never
  : never

export interface Listeners {
  /** Something has changed: draw again. */
  changed (): void
  /** An answer to the watch with this name. */
  answered (name: string, answer: Answer): void
}

export class Session {
  state: StateEvent = { state: 'connecting', attempt: 0 }
  hello: Hello | undefined
  /** A problem that is of no watch. */
  problem: Problem | undefined
  readonly #socket
  readonly #watches = new Map<string, Watch>()
  readonly #orders = new Map<string, (result: Acted | Problem) => void>()
  readonly #listeners: Listeners
  /** Whether this socket has had its first message. Before, nothing is sent. */
  #isReady = false
  #isPaused = false
  #lastId = 0

  constructor (url: string, listeners: Listeners) {
    this.#listeners = listeners
    // A plain socket without resume: each one passes the hooks of the server again.
    this.#socket = connect<{ server: ServerTopics }>(url, {
      negotiate: false,
      backoff: { min: 500, max: 10_000 },
      reconnect: () => true
    })
    this.#socket.on('state', (state) => {
      this.state = state
      if (state.state !== 'open') this.#lose()
      listeners.changed()
    })
    this.#socket.on('hello', (hello) => {
      this.hello = hello
      this.problem = undefined
      this.#isReady = true
      for (const watch of this.#watches.values()) this.#begin(watch)
      listeners.changed()
    })
    this.#socket.on('answer', (answer) => { this.#take(answer) })
    this.#socket.on('acted', (acted) => { this.#settle(acted) })
    this.#socket.on('problem', (problem) => { this.#fail(problem) })
  }

  get isPaused (): boolean {
    return this.#isPaused
  }

  watch (name: string): Watch | undefined {
    return this.#watches.get(name)
  }

  /** Watches something from now on, under a name of the page; nothing without a wish. */
  want (name: string, wish: Wish | undefined): void {
    const last = this.#watches.get(name)
    if (wish === undefined) {
      this.#end(last)
      this.#watches.delete(name)
      return
    }
    if (last !== undefined && JSON.stringify(last.wish) === JSON.stringify(wish)) return
    this.#end(last)
    const isSame = last?.wish.view === wish.view && last.wish.pid === wish.pid
    const answer = isSame ? last.answer : undefined
    const id = `${name}-${++this.#lastId}`
    const watch: Watch = { id, wish, answer, isOld: true, problem: undefined }
    this.#watches.set(name, watch)
    this.#begin(watch)
  }

  /** Asks again after a problem. */
  retry (name: string): void {
    const wish = this.#watches.get(name)?.wish
    this.want(name, undefined)
    this.want(name, wish)
  }

  /** Ends all watches of the server until `resume`: it does no work for a page that nobody sees. */
  pause (): void {
    if (this.#isPaused) return
    for (const watch of this.#watches.values()) this.#end(watch)
    this.#isPaused = true
  }

  resume (): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    for (const watch of this.#watches.values()) this.#begin(watch)
  }

  /** Resolves with the result of an action. */
  async act (order: Order): Promise<Acted | Problem> {
    if (!this.#isReady) return { code: 'LOST', message: 'The server cannot be reached' }
    const id = `act-${++this.#lastId}`
    return await new Promise((resolve) => {
      this.#orders.set(id, resolve)
      this.#send({ ...order, id })
    })
  }

  #send (request: ClientRequest): void {
    this.#socket.send(JSON.stringify(request))
  }

  #begin (watch: Watch): void {
    watch.problem = undefined
    if (this.#isReady && !this.#isPaused) this.#send({ ...watch.wish, id: watch.id })
  }

  #end (watch: Watch | undefined): void {
    if (watch === undefined || !this.#isReady || this.#isPaused) return
    this.#send({ id: watch.id, view: null })
  }

  #lose (): void {
    this.#isReady = false
    for (const id of this.#orders.keys()) {
      this.#settle({ id, code: 'LOST', message: 'The connection was lost before the answer' })
    }
  }

  /** An answer to a watch that has ended meanwhile is dropped. */
  #take (answer: Answer): void {
    for (const [name, watch] of this.#watches) {
      if (watch.id !== answer.id) continue
      watch.answer = answer
      watch.isOld = false
      this.#listeners.answered(name, answer)
      this.#listeners.changed()
    }
  }

  #settle (result: Acted | (Problem & { id: string })): void {
    const id = String(result.id)
    this.#orders.get(id)?.(result)
    this.#orders.delete(id)
  }

  #fail (problem: Problem): void {
    const id = String(problem.id)
    const watch = [...this.#watches.values()].find((each) => each.id === id)
    if (watch !== undefined) watch.problem = problem
    else if (this.#orders.has(id)) this.#settle({ ...problem, id })
    else if (problem.id === undefined) this.problem = problem
    this.#listeners.changed()
  }
}
