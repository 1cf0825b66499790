import { createProcesses } from '../../lib/process/index.js'
import { processesFacade } from '../../lib/process/processes.js'
import { Runtime } from '../../lib/process/runtime.js'
import { silentLogger } from '../../lib/process/index.js'
import type { ManualClock } from '../properties/clock.js'
import type { MessageOf } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'
import type { Logger, ProcessesOptions, SpawnOptions } from '../../types/options.js'
import type { Processes, ProcessSystem } from '../../types/processes.js'

export { settle } from '../laps.js'

/** A message of any topic. */
export type AnyMessage = MessageOf<string, unknown>

/** Undeclared topics, for a body that takes any message. */
export interface Loose { [topic: string]: any }

/** The part of tap's `t` that the helpers need. */
interface Teardown {
  teardown (task: () => unknown): void
}

/** A process system that is closed after the test. */
export function build (t: Teardown, options: ProcessesOptions = {}): ProcessSystem {
  const processes = createProcesses({ closeTimeout: 20, ...options })
  t.teardown(() => processes.close())
  return processes
}

/** A process system together with its runtime. */
export function buildRuntime (
  options: {
    node?: string
    logger?: Logger
    /** Time, tasks and the order of turns. */
    clock?: ManualClock
    mailboxLimit?: number
    mailboxBytes?: number
    keepEnds?: number
  } = {}
): { runtime: Runtime, processes: Processes } {
  const {
    node = 'local',
    logger = silentLogger,
    clock,
    mailboxLimit = 10_000,
    mailboxBytes = 2 ** 24,
    keepEnds = 512
  } = options
  const runtime = new Runtime({
    node, mailboxLimit, mailboxBytes, keepEnds, logger, clock, turnOrder: clock?.order
  })
  return { runtime, processes: processesFacade(runtime) }
}

/** The sizes of all tables of a runtime. Only live processes may have entries. */
export function held (runtime: Runtime): {
  alive: number
  relations: number
  names: number
  groups: number
} {
  return {
    alive: runtime.processTable.size,
    relations: runtime.relations.size,
    names: runtime.nameTable.size,
    groups: runtime.groupTable.size
  }
}

/** A process that records its messages. */
export interface Probe {
  readonly pid: Pid
  readonly seen: AnyMessage[]
  /** Resolves with the first `count` messages. */
  until (count: number): Promise<AnyMessage[]>
}

export function probe (processes: Pick<Processes, 'spawn'>, options?: SpawnOptions<[]>): Probe {
  const seen: AnyMessage[] = []
  let look = (): void => {}
  const pid = processes.spawn<{}, []>(async function probe (self) {
    await self.serve({}, (message) => {
      seen.push(message)
      look()
    })
  }, options)
  return {
    pid,
    seen,
    async until (count) {
      while (seen.length < count) await new Promise<void>((resolve) => { look = resolve })
      return seen.slice(0, count)
    }
  }
}

/** Receives messages until the process stops. */
export async function drain (inbox: AsyncIterable<unknown>): Promise<void> {
  const iterator = inbox[Symbol.asyncIterator]()
  while ((await iterator.next()).done !== true);
}

/** A promise with its `resolve` and `reject`. */
export function deferred<T = void> (): {
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (error: unknown) => void
} {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((_resolve, _reject) => {
    resolve = _resolve
    reject = _reject
  })
  return { promise, resolve, reject }
}

/** A logger that records its lines. */
export function recordingLogger (): {
  logger: Logger
  lines: Array<{ level: string, args: unknown[] }>
  firstLine: Promise<void>
} {
  const lines: Array<{ level: string, args: unknown[] }> = []
  const { promise: firstLine, resolve } = deferred()
  const say =
    (level: string) =>
      (...args: unknown[]) => {
        lines.push({ level, args })
        resolve()
      }
  const logger: Logger = {
    trace: say('trace'),
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    fatal: say('fatal'),
    child: () => logger
  }
  return { logger, lines, firstLine }
}
