// The suite's side of an operating-system process with nodes, and of each node.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { program } from '../../program.js'
import type { Test } from 'tap'
import type { Command, Report } from './worker.js'
import type { Happening, Joining, WorkerNode } from './worker-node.js'
import type { Pid } from '../../../types/pid.js'

/** Milliseconds until a wait fails, with everything seen so far in the error. */
const patience = 60_000

type Method = Exclude<keyof WorkerNode, symbol>
type Result<M extends Method> = Awaited<ReturnType<WorkerNode[M]>>

/**
 * The variables that `faketime` sets. The program itself is not used: as the parent of the process
 * it would receive the signals.
 */
function clockAhead (ahead: string): string[] {
  const { stdout } = spawnSync('faketime', ['-f', ahead, 'env'], { encoding: 'utf8' })
  const variables = stdout.split('\n').filter((line) => /^(?:FAKETIME|LD_PRELOAD)=/.test(line))
  return ['FAKETIME_DONT_FAKE_MONOTONIC=1', ...variables]
}

/** An operating-system process with nodes in it. */
export class Host {
  readonly #child: ChildProcess
  readonly #answers = new Map<
    number,
    { resolve: (value: unknown) => void, reject: (error: Error) => void }
  >()

  readonly #nodes = new Map<string, TestNode>()
  #last = 0
  /** The test has frozen or killed it. */
  isStopped = false
  /** The test has stalled it at least once, so its stalls say nothing about the machine. */
  disturbed = false

  /** @param ahead how far its clock is ahead, in the format of `faketime` */
  constructor (t: Test, ahead?: string) {
    // Removes the variables of the test runner: a killed process cannot report to it.
    const clock = ahead === undefined ? [] : clockAhead(ahead)
    this.#child = spawn(
      'env',
      [
        '-u',
        'NODE_OPTIONS',
        '-u',
        'NODE_V8_COVERAGE',
        ...clock,
        process.execPath,
        ...program('test/cluster/faults/worker.ts')
      ],
      {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc']
      }
    )
    this.#child.on('message', (report: Report) => {
      this.#handleReport(report)
    })
    this.#child.once('exit', () => {
      for (const { reject } of this.#answers.values()) reject(new Error('its process has ended'))
    })
    t.teardown(() => this.kill())
  }

  #handleReport (report: Report): void {
    if ('happening' in report) {
      this.#nodes.get(report.key)?.recordHappening(report.happening)
      return
    }
    const answer = this.#answers.get(report.id)
    this.#answers.delete(report.id)
    if ('error' in report) answer?.reject(new Error(report.error))
    else answer?.resolve(report.value)
  }

  async ask (key: string, method: string, ...args: unknown[]): Promise<unknown> {
    const id = ++this.#last
    return await new Promise((resolve, reject) => {
      this.#answers.set(id, { resolve, reject })
      // Without a callback, the end of the child would throw in this process.
      this.#child.send({ id, key, method, args } satisfies Command, (error) => {
        if (error) reject(error)
      })
    })
  }

  async join (key: string, joining: Joining): Promise<TestNode> {
    const node = new TestNode(this, key, joining.node)
    this.#nodes.set(key, node)
    await within(this.ask(key, 'start', joining), () => `${joining.node} does not join`)
    return node
  }

  /** The longest stall since a time, in milliseconds; 0 when the test has stalled the process. */
  async longestStall (since: number): Promise<number> {
    return this.isStopped || this.disturbed
      ? 0
      : ((await this.ask('', 'longestStall', since)) as number)
  }

  freeze (): void {
    this.isStopped = this.disturbed = true
    this.#child.kill('SIGSTOP')
  }

  thaw (): void {
    this.isStopped = false
    this.#child.kill('SIGCONT')
  }

  async kill (): Promise<void> {
    this.isStopped = true
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}

/** The suite's side of a node. */
export class TestNode {
  readonly host: Host
  readonly name: string
  readonly seen: Happening[] = []
  readonly #key: string
  readonly #waiting = new Set<() => void>()

  constructor (host: Host, key: string, name: string) {
    this.host = host
    this.#key = key
    this.name = name
  }

  recordHappening (happening: Happening): void {
    this.seen.push(happening)
    for (const look of this.#waiting) look()
  }

  /** Calls a method of {@link WorkerNode} in the node's process. */
  ask<M extends Method> (method: M, ...args: Parameters<WorkerNode[M]>): Promise<Result<M>> {
    const answer = within(
      this.host.ask(this.#key, method, ...args) as Promise<Result<M>>,
      () => `${this.name} did not answer ${method}: ${this}`
    )
    // A row that fails leaves other requests unanswered.
    answer.catch(() => {})
    return answer
  }

  /** Resolves with everything seen as soon as it fulfils a condition. */
  async until (what: string, condition: (seen: Happening[]) => boolean): Promise<Happening[]> {
    const fulfilled = new Promise<Happening[]>((resolve) => {
      const look = (): void => {
        if (!condition(this.seen)) return
        this.#waiting.delete(look)
        resolve(this.seen)
      }
      this.#waiting.add(look)
      look()
    })
    return await within(fulfilled, () => `${this.name} never saw ${what}: ${this}`)
  }

  /** Resolves when it has seen a node in a state. */
  async untilNode (node: string, state: 'up' | 'down'): Promise<Happening> {
    const matches = ({ topic, payload }: Happening): boolean =>
      topic === '@node' && payload.node === node && payload.state === state
    await this.until(`${node} ${state}`, (seen) => seen.some(matches))
    return this.seen.find(matches)!
  }

  /** The last state of a node that this one reported. */
  stateOf (name: string): string | undefined {
    return this.seen
      .filter(({ topic, payload }) => topic === '@node' && payload.node === name)
      .at(-1)?.payload.state
  }

  /**
   * Calls a process until it answers. Calls fail as long as one side does not know yet that the
   * other has reset the channel.
   */
  async reach (pid: Pid): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await this.ask('call', pid, 'echo', tries)
        return
      } catch (error) {
        if (tries === 100 || !/FST_PROCESS_CALL_FAILED/.test(String(error))) throw error
      }
    }
  }

  /** Everything seen, in order, one line each. PIDs are replaced by the given names. */
  story (names: Record<string, string> = {}): string[] {
    return this.seen.map(({ topic, payload }) =>
      topic === '@node'
        ? `${payload.node} ${payload.state}`
        : `${topic} ${names[payload.pid] ?? payload.pid}: ${payload.reason}`
    )
  }

  toString (): string {
    return JSON.stringify(this.seen.map(({ topic, payload }) => [topic, payload]))
  }
}

/** Rejects with a message when a promise does not settle in time. */
export async function within<T> (promise: Promise<T>, message: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([
      promise,
      new Promise<never>((resolve, reject) => {
        timer = setTimeout(() => {
          reject(new Error(message()))
        }, patience)
      })
    ])
  } finally {
    clearTimeout(timer)
  }
}
