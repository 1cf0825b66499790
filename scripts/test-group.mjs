// Runs several test files one after the other in this process, each as a subtest with its name.
// The environment variable TEST_GROUP has their compiled files. `scripts/test.mjs` starts it for
// small files, because the start of a process costs more than most of them take. A file fails if it
// leaves something behind in the process that could disturb the files after it.
import { relative } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { pathToFileURL } from 'node:url'
import { t as root } from 'tap'
import { output } from './compile.mjs'

const { setCurrentTest } = await import(`../${output}/node_modules/tap/index.js`)

/** Events of the process whose listeners tap itself adds and removes. */
const ofTap = ['exit', 'uncaughtExceptionMonitor']

/** Globals in which zod keeps its configuration, from the first import on. */
const ofLibraries = /^__zod_global/

/** State of the process that every file shares with the others: same before and after a file. */
function sharedState () {
  return {
    listeners: Object.fromEntries(process.eventNames()
      .filter((name) => !ofTap.includes(name) && process.listenerCount(name) > 0)
      .map((name) => [String(name), process.listenerCount(name)])),
    globals: Object.fromEntries(Object.getOwnPropertyNames(globalThis)
      .filter((name) => !ofLibraries.test(name))
      .map((name) => [name, true])),
    replaced: {
      setTimeout,
      setInterval,
      setImmediate,
      clearTimeout,
      clearInterval,
      clearImmediate,
      fetch,
      Date,
      'Date.now': Date.now,
      'Math.random': Math.random,
      'performance.now': performance.now,
      nextTick: process.nextTick,
      exit: process.exit
    },
    env: { ...process.env },
    folder: process.cwd()
  }
}

/** Kinds of resources that keep the process running, without standard streams and immediates. */
function openResources () {
  const streams = ['PipeWrap', 'TTYWrap', 'FSReqCallback', 'FSReqPromise', 'Immediate']
  return process.getActiveResourcesInfo().filter((kind) => !streams.includes(kind)).sort()
}

/** @returns the entries that differ, as text */
function differences (before, after, path = '') {
  if (isDeepStrictEqual(before, after)) return []
  if (typeof before === 'function') return [`${path} is another function`]
  if (typeof before !== 'object' || typeof after !== 'object') {
    return [`${path} was ${before} and is ${after}`]
  }
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  const pathOf = (key) => path ? `${path}.${key}` : key
  return [...keys].flatMap((key) => differences(before[key], after[key], pathOf(key)))
}

async function run (file, t) {
  const before = sharedState()
  const resources = openResources()
  // Teardown functions run in reverse order: this one is the last.
  t.teardown(async () => {
    // Sockets that were destroyed close in one of the next iterations of the event loop.
    while (openResources().length > resources.length) {
      await new Promise((resolve) => { setImmediate(resolve) })
    }
    const changed = differences(before, sharedState())
    if (changed.length > 0) throw new Error(`${t.name} leaves behind: ${changed.join('; ')}`)
  })
  setCurrentTest(t)
  await import(pathToFileURL(file))
}

for (const file of process.env.TEST_GROUP.split(' ')) {
  const name = relative(output, file).replace(/\.js$/, '.ts')
  root.test(name, { at: null, stack: '' }, (t) => run(file, t))
}
