import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ready, type Answer, type Methods, type Question } from './methods.js'

/** The default timeout of an answer in milliseconds: far more than any takes on a busy machine. */
const patience = 120_000

interface Asked { resolve (value: never): void, reject (error: Error): void, timer: NodeJS.Timeout }

const alive = new Set<ChildProcess>()
process.on('exit', () => { for (const child of alive) child.kill('SIGKILL') })
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

/** Another process of the rig, which answers requests. It ends with this process at the latest. */
export class Worker<M extends Methods<M>> {
  readonly name: string
  /** Resolves when it has ended. */
  readonly exited: Promise<{ code: number | null, signal: string | null }>
  readonly #child: ChildProcess
  readonly #asked = new Map<number, Asked>()
  #questions = ready

  private constructor (file: string, execArgv: string[]) {
    this.name = file
    // Relative to dist/test/soak/rig.
    this.#child = fork(join(import.meta.dirname, '..', file), {
      execArgv,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    })
    const child = this.#child
    alive.add(child)
    child.on('message', (given: Answer) => {
      this.#answered(given)
    })
    this.exited = once(child, 'exit').then(([code, signal]) => {
      alive.delete(child)
      for (const { reject, timer } of this.#asked.values()) {
        clearTimeout(timer)
        reject(new Error(`${file} has ended: code ${code}, signal ${signal}`))
      }
      this.#asked.clear()
      return { code, signal }
    })
  }

  /** Resolves when the process is ready for requests. */
  static async start<M extends Methods<M>>(
    file: string,
    execArgv: string[] = []
  ): Promise<Worker<M>> {
    const worker = new Worker<M>(file, execArgv)
    await worker.#await(ready, 'be ready', patience)
    return worker
  }

  ask<K extends keyof M & string>(
    method: K,
    ...args: Parameters<M[K]>
  ): Promise<Awaited<ReturnType<M[K]>>> {
    return this.askFor(patience, method, ...args)
  }

  /** Like {@link ask}, for a request that itself takes `milliseconds`. */
  async askFor<K extends keyof M & string>(
    milliseconds: number,
    method: K,
    ...args: Parameters<M[K]>
  ): Promise<Awaited<ReturnType<M[K]>>> {
    const id = ++this.#questions
    const answered = this.#await<Awaited<ReturnType<M[K]>>>(id, method, milliseconds + patience)
    this.#child.send({ id, method, args } satisfies Question, (err) => {
      if (err !== null) this.#answered({ id, error: err.message })
    })
    return await answered
  }

  /** Stops the process with SIGSTOP. Its sockets stay open. */
  freeze (): void {
    this.#child.kill('SIGSTOP')
  }

  thaw (): void {
    this.#child.kill('SIGCONT')
  }

  async kill (): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exited
  }

  #await<T>(id: number, what: string, milliseconds: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#asked.delete(id)
        reject(new Error(`${this.name} did not ${what} within ${milliseconds / 1000} s`))
      }, milliseconds)
      this.#asked.set(id, { resolve, reject, timer })
    })
  }

  #answered ({ id, value, error }: Answer): void {
    const asked = this.#asked.get(id)
    if (asked === undefined) return
    this.#asked.delete(id)
    clearTimeout(asked.timer)
    if (error === undefined) asked.resolve(value as never)
    else asked.reject(new Error(`${this.name}: ${error}`))
  }
}
