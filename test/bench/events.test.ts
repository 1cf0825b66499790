// Counts the memory that events take when nobody subscribes, without time measurement. Runs in its
// own operating-system process, because coverage and tap's wrappers would be counted.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { program } from '../program.js'

interface Bytes {
  without: number
  unsubscribed: number
  subscribed: number
}

async function bytesOfCloses (): Promise<Record<string, Bytes>> {
  const args = [
    '-u', 'NODE_OPTIONS', '-u', 'NODE_V8_COVERAGE', process.execPath,
    '--expose-gc', '--single-threaded', '--min-semi-space-size=64', '--max-semi-space-size=64',
    // An optimized function may leave out objects that the same function has in another round.
    '--no-opt', '--no-maglev',
    ...program('test/bench/closes.ts')
  ]
  const { stdout } = await promisify(execFile)('env', args)
  return JSON.parse(stdout) as Record<string, Bytes>
}

t.test('10 000 events of each kind without a subscriber allocate what counters alone do', async (t) => {
  for (const [what, bytes] of Object.entries(await bytesOfCloses())) {
    const { without, unsubscribed, subscribed } = bytes
    const text = `${what}: ${JSON.stringify(bytes)}`
    // The smallest object has 16 bytes.
    t.ok(unsubscribed < without + 16, text)
    t.ok(subscribed > without + 100, `${text}: a subscriber gets an object of its own`)
  }
})
