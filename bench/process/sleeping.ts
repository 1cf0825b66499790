import { processes, turn } from './system.js'
import type { Process, ProcessInfo } from '../../lib/process/index.js'

/** Bodies that wait for mail. */
const bodies: Record<string, (self: Process) => unknown> = {
  serve: (self) => self.serve({}),
  'await serve': async (self) => {
    await self.serve({})
  },
  'for await': async (self) => {
    for await (const { topic } of self.inbox) if (topic === '@cancel') break
  },
  receive: async (self) => {
    while ((await self.receive()).topic !== '@cancel');
  }
}

/** The functions that would resolve the promises of `engine`. They are never called. */
let resolvers: unknown[] = []
let waiting = 0

function wait (): Promise<IteratorResult<string, undefined>> {
  return new Promise((resolve) => { resolvers[waiting++] = resolve })
}

const steps = { [Symbol.asyncIterator] () { return this }, next: wait }
const told = { returned () {}, failed () {} }

/** The JavaScript engine alone: code that waits, its resolver, and a listener of its end. */
const engine: Record<string, () => unknown> = {
  'a promise': wait,
  'await of a promise': () => {
    tell(async () => {
      await wait()
    })
  },
  'for await of promises': () => {
    tell(async () => {
      for await (const topic of steps) if (topic === '@cancel') break
    })
  }
}

function tell (body: () => Promise<void>): void {
  body().then(told.returned.bind(told), told.failed.bind(told))
}

async function memory (): Promise<{ rss: number, heapUsed: number }> {
  for (let i = 0; i < 4; i++) {
    globalThis.gc!()
    await turn()
  }
  return process.memoryUsage()
}

async function start (what: string, count: number, woken: boolean): Promise<void> {
  let last = ''
  for (let i = 0; i < count; i++) {
    if (what in engine) engine[what]()
    else {
      last = processes.spawn(bodies[what])
      if (woken) processes.send(last, 'tick')
    }
    if (i % 10_000 === 0) await turn()
  }
  if (last !== '') while (!asleep(processes.info(last)!)) await turn()
}

function asleep ({ status, mailbox }: ProcessInfo): boolean {
  return status === 'waiting' && mailbox === 0
}

export interface SleepingOptions {
  count: number
  /** A name of {@link bodies} or {@link engine}. */
  what: string
  /** Each process has handled a message. */
  woken?: boolean
}

/** KiB of a process that waits for mail, or of the engine's part of one. */
export async function sleeping ({
  count,
  what,
  woken = false
}: SleepingOptions): Promise<{ heap: number, rss: number }> {
  resolvers = what in engine ? Array.from({ length: count + 1000 }, () => undefined) : []
  await start(what, 1000, woken) // code, and what is made once
  const before = await memory()
  await start(what, count, woken)
  const after = await memory()
  return {
    heap: (after.heapUsed - before.heapUsed) / count / 1024,
    rss: (after.rss - before.rss) / count / 1024
  }
}
