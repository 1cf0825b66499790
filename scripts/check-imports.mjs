// Checks the imports of `lib/` and `types/`, those of types included: each room imports only the
// rooms and packages of its row, and no files import each other. Part of `npm run lint`.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const base = ['lib/shared', 'lib/errors.ts', 'types']

/**
 * The rooms, with the rooms and the packages that each may import. The row of the longest matching
 * path counts. Modules of Node are allowed everywhere; only index and tests import `lib/index.ts`.
 */
const rooms = {
  types: { packages: ['fastify', 'ws', '@fastify/websocket', '@standard-schema/spec'] },
  'lib/errors.ts': { packages: ['@fastify/error'] },
  'lib/shared': {
    rooms: ['lib/errors.ts', 'types'],
    packages: ['@sinclair/typebox', 'parse-duration']
  },
  'lib/process': { rooms: base, packages: ['@sinclair/typebox'] },
  'lib/process/index.ts': {
    rooms: [...base, 'lib/process', 'lib/cluster/facade.ts', 'lib/connection/remote.ts']
  },
  'lib/connection': { rooms: [...base, 'lib/process'], packages: ['@sinclair/typebox'] },
  'lib/websocket': { rooms: [...base, 'lib/connection'], packages: ['ws'] },
  'lib/session': { rooms: [...base, 'lib/connection', 'lib/websocket'] },
  'lib/registration': {
    rooms: [...base, 'lib/process', 'lib/connection', 'lib/websocket', 'lib/session'],
    packages: ['@fastify/websocket', '@sinclair/typebox', 'fastify']
  },
  'lib/upgrade': {
    rooms: [
      ...base, 'lib/process', 'lib/websocket', 'lib/connection', 'lib/session', 'lib/registration'
    ],
    packages: ['fastify', 'ws']
  },
  'lib/cluster': { rooms: [...base, 'lib/process'] },
  'lib/cluster/engines': {
    rooms: [...base, 'lib/cluster'],
    packages: [
      '@nats-io/jetstream', '@nats-io/kv', '@nats-io/transport-node', '@sinclair/typebox', 'ioredis'
    ]
  },
  'lib/dashboard': {
    rooms: [...base, 'lib/process'], packages: ['@sinclair/typebox', 'fastify']
  },
  'lib/client': { rooms: ['types'] },
  'lib/dashboard/page': {
    rooms: ['lib/dashboard/frames.ts', 'lib/client', 'types'],
    packages: ['lit-html', 'uplot']
  },
  'lib/protocol': {
    rooms: [...base, 'lib/connection/protocol/definition.ts'],
    packages: ['@sinclair/typebox', '@standard-schema/spec']
  },
  'lib/metrics': { rooms: ['lib/errors.ts', 'types'] },
  'lib/otel': {
    rooms: ['lib/errors.ts', 'lib/shared', 'types'], packages: ['@opentelemetry/api']
  },
  // Not the rooms of other subpaths: an application loads them only when it imports them.
  'lib/index.ts': {
    rooms: [
      ...base, 'lib/process', 'lib/connection', 'lib/registration', 'lib/upgrade',
      'lib/cluster/facade.ts'
    ],
    packages: ['fastify', 'fastify-plugin']
  }
}

function filesIn (folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /(?<!\.tst)\.ts$/.test(entry.name))
    .map((entry) => `${relative('.', entry.parentPath)}/${entry.name}`)
}

/** The files and the names of packages that a file imports. */
function importsOf (file) {
  const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, true)
  return importedFiles.map(({ fileName }) => fileName.startsWith('.')
    ? posix.join(dirname(file), fileName).replace(/\.js$/, '.ts')
    : fileName)
}

/** For a path: tells whether it is this folder, file or package, or inside it. */
const isInside = (path) => (room) => path === room || path.startsWith(`${room}/`)

function roomOf (path) {
  return Object.keys(rooms).filter(isInside(path)).sort((a, b) => b.length - a.length)[0]
}

/** @returns true if a file of the room may import this file or package */
function isAllowed (room, imported) {
  const { rooms: others = [], packages = [] } = rooms[room]
  const isInOne = (list) => list.some(isInside(imported))
  if (existsSync(imported)) return isInOne([room, ...others])
  return imported.startsWith('node:') || isInOne(packages)
}

/** Groups of files that import each other: the strongly connected components (Tarjan). */
function cyclesOf (graph) {
  const indexes = new Map()
  const lowest = new Map()
  const stack = []
  const cycles = []
  const visit = (file) => {
    indexes.set(file, indexes.size)
    lowest.set(file, indexes.get(file))
    stack.push(file)
    for (const next of graph.get(file)) {
      if (!graph.has(next)) continue
      if (!indexes.has(next)) visit(next)
      if (stack.includes(next)) lowest.set(file, Math.min(lowest.get(file), lowest.get(next)))
    }
    if (lowest.get(file) !== indexes.get(file)) return
    const component = stack.splice(stack.indexOf(file))
    if (component.length > 1 || graph.get(file).includes(file)) cycles.push(component.sort())
  }
  for (const file of graph.keys()) if (!indexes.has(file)) visit(file)
  return cycles
}

const files = ['lib', 'types'].flatMap(filesIn)
const graph = new Map(files.map((file) => [file, importsOf(file)]))
const problems = []
for (const [file, imports] of graph) {
  const room = roomOf(file)
  for (const imported of new Set(imports)) {
    if (room !== undefined && isAllowed(room, imported)) continue
    problems.push(`${file} may not import ${imported}`)
  }
}
for (const cycle of cyclesOf(graph)) {
  problems.push(`files that import each other: ${cycle.join(', ')}`)
}
for (const text of problems) console.error(text)
if (problems.length > 0) {
  console.error('Allowed imports are in scripts/check-imports.mjs')
  process.exitCode = 1
}
