import { History } from './history.js'
import { Slices } from './slices.js'
import type { Entity } from '../../process/entity.js'
import type { Runtime } from '../../process/runtime.js'
import type { ClockTimer } from '../../shared/clock.js'

/** The shortest time between the starts of two passes, in milliseconds. */
export const passGap = 500

/** A view that looks at all processes and connections. */
export interface Query {
  /** Called once for each of them, the oldest first. */
  visit (entity: Entity): void
}

interface Waiting {
  readonly query: Query
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

const samplers = new WeakMap<Runtime, Sampler>()

/**
 * Reads the state of one node for all its viewers. It does nothing while there is none. Views that
 * visit all processes share passes over them.
 */
export class Sampler {
  readonly history: History
  readonly #runtime: Runtime
  readonly #slices: Slices
  #viewers = 0
  #waiting: Waiting[] = []
  #isPassing = false
  #lastPass = -Infinity
  #timer: ClockTimer | undefined

  private constructor (runtime: Runtime) {
    this.#runtime = runtime
    this.history = new History(runtime)
    this.#slices = new Slices(runtime.contextClock)
  }

  /** The sampler of a node, which all its dashboards share. */
  static of (runtime: Runtime): Sampler {
    let sampler = samplers.get(runtime)
    if (sampler === undefined) samplers.set(runtime, sampler = new Sampler(runtime))
    return sampler
  }

  /** @returns a function that must be called once, when the viewer leaves */
  addViewer (): () => void {
    if (this.#viewers++ === 0) this.history.start()
    return () => {
      if (--this.#viewers === 0) this.#stop()
    }
  }

  #stop (): void {
    this.history.stop()
    this.#slices.clear()
    this.#timer?.cancel()
    this.#timer = undefined
    this.#waiting = []
    this.#isPassing = false
  }

  /**
   * Runs the steps of a view, each of which visits one entity, in slices. It never resolves if the
   * last viewer leaves before.
   */
  run (steps: Iterator<unknown>): Promise<void> {
    return this.#slices.run(steps)
  }

  /** Resolves as `run`, when the query has seen all entities. */
  select (query: Query): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ query, done: resolve, failed: reject })
      this.#nextPass()
    })
  }

  #nextPass (): void {
    if (this.#isPassing || this.#timer !== undefined || this.#waiting.length === 0) return
    const wait = this.#lastPass + passGap - this.#runtime.clock.now()
    if (wait > 0) {
      this.#timer = this.#runtime.contextClock.after(wait, () => {
        this.#timer = undefined
        this.#pass()
      })
    } else this.#pass()
  }

  #pass (): void {
    const queries = this.#waiting
    this.#waiting = []
    this.#isPassing = true
    this.#lastPass = this.#runtime.clock.now()
    this.#slices.run(this.#visits(queries)).then(
      () => { for (const { done } of queries) done() },
      (err: unknown) => { for (const { failed } of queries) failed(err) }
    ).finally(() => {
      this.#isPassing = false
      this.#nextPass()
    })
  }

  /** Processes that start meanwhile are left to the next pass: otherwise it might never end. */
  * #visits (queries: readonly Waiting[]): Iterator<undefined> {
    const { processTable } = this.#runtime
    let left = processTable.size
    for (const entity of processTable.entities) {
      if (left-- === 0) return
      for (const { query } of queries) query.visit(entity)
      yield
    }
  }
}
