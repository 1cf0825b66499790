// The heap bytes of a process that waits for messages, without time measurement. The test runs in
// its
// own operating-system process, because tap's wrappers around promises would be counted.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { program } from '../program.js'

/** KiB of one process, with a power of two of processes, which fills the table exactly. */
async function heapOf (what: string, woken: boolean): Promise<number> {
  const args = [
    '-u',
    'NODE_OPTIONS',
    '-u',
    'NODE_V8_COVERAGE',
    process.execPath,
    '--expose-gc',
    ...program('bench/process/main.ts'),
    'sleeping',
    JSON.stringify({ count: 15_000, what, woken })
  ]
  const { stdout } = await promisify(execFile)('env', args)
  return (JSON.parse(stdout) as { heap: number }).heap
}

const most: Record<string, number> = {
  serve: 0.6,
  'await serve': 1.25,
  receive: 1.25,
  'for await': 1.25
}

for (const [what, atMost] of Object.entries(most)) {
  t.test(
    `a process that sleeps in ${what} holds at most ${atMost} KiB, also when it has been woken`,
    async (t) => {
      for (const woken of [false, true]) {
        const heap = await heapOf(what, woken)
        t.ok(heap <= atMost, `${heap.toFixed(3)} KiB${woken ? ', woken' : ''}`)
      }
    }
  )
}
