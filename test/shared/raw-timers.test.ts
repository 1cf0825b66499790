// Everything that waits takes its time from the clock of the runtime. Otherwise a test that plays
// time by itself would wait for something that its clock does not know.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../program.js'

const rooms = [
  'shared', 'process', 'connection', 'websocket', 'session', 'registration', 'upgrade', 'cluster'
]
const raw = new RegExp([
  'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'process\\.nextTick', 'Date\\.now',
  'performance\\.now'
].map((name) => `\\b${name}\\b`).join('|'), 'g')

/** The places that may use Node's own functions, with the reason. */
const allowed: Array<{ file: string, names: readonly string[], reason: string }> = [
  {
    file: 'lib/shared/clock.ts',
    names: ['Date.now', 'performance.now', 'setImmediate', 'setTimeout'],
    reason: 'it is the clock'
  },
  {
    file: 'lib/shared/diagnostics.ts',
    names: ['Date.now'],
    reason: 'an event tells the time of day'
  },
  {
    file: 'lib/process/explain/explainer.ts',
    names: ['Date.now'],
    reason: 'an end tells the time of day'
  },
  {
    file: 'lib/process/pid.ts',
    names: ['Date.now'],
    reason: 'the incarnation must be above those of earlier programs, so it needs the time of day'
  },
  {
    file: 'lib/websocket/socket.ts',
    names: ['setTimeout'],
    reason: 'a method of the socket, which turns off the timeout of the HTTP server'
  },
  {
    file: 'lib/upgrade/dispatch.ts',
    names: ['process.nextTick'],
    reason: 'it lets the other listeners of the same event run first, before any promise reaction'
  },
  {
    file: 'lib/cluster/engines/subscriptions.ts',
    names: ['queueMicrotask'],
    reason: 'what a listener throws becomes an uncaught exception'
  },
  {
    file: 'lib/cluster/engines/nats/connecting-sockets.ts',
    names: ['process.nextTick'],
    reason: 'it waits for the client of NATS, which connects the socket in the same turn'
  }
]

function filesOf (room: string): string[] {
  return readdirSync(join(root, 'lib', room), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `lib/${room}/${name}`)
}

/** The raw timers in a file, comments left out, each once and sorted. */
function rawTimersIn (file: string): string[] {
  const code = readFileSync(join(root, file), 'utf8')
    .replace(/\/\*.*?\*\//gs, '')
    .replace(/\/\/.*$/gm, '')
  return [...new Set(code.match(raw))].sort()
}

t.test('uses raw timers only in the allowed places', async (t) => {
  const found = rooms
    .flatMap(filesOf)
    .map((file) => ({ file, names: rawTimersIn(file) }))
    .filter(({ names }) => names.length > 0)
  const expected = allowed.map(({ file, names }) => ({ file, names }))
  const byFile = (one: { file: string }, other: { file: string }): number => {
    return one.file.localeCompare(other.file)
  }
  t.strictSame(found.sort(byFile), expected.sort(byFile))
})
