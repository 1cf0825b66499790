import { processes, turn } from './system.js'
import type { Process } from '../../lib/process/index.js'

const bodies = {
  serve: (self: Process) => self.serve({}),
  loop: async (self: Process) => {
    for await (const message of self.inbox) if (message.topic === '@cancel') break
  }
}

async function memory (): Promise<{ rss: number, heapUsed: number }> {
  for (let i = 0; i < 4; i++) {
    globalThis.gc!()
    await turn()
  }
  return process.memoryUsage()
}

/** KiB of a process that waits for mail. */
export async function sleeping ({ count, body }: { count: number, body: keyof typeof bodies }) {
  const start = async (count: number): Promise<void> => {
    let last = ''
    for (let i = 0; i < count; i++) {
      last = processes.spawn(bodies[body])
      if (i % 10_000 === 0) await turn()
    }
    while (processes.info(last)?.status !== 'waiting') await turn()
  }
  await start(1000) // code, and what is made once
  const before = await memory()
  await start(count)
  const after = await memory()
  return { heap: (after.heapUsed - before.heapUsed) / count / 1024, rss: (after.rss - before.rss) / count / 1024 }
}
