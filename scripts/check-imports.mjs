// Checks the imports of `lib/` and `types/`, those of types included: each room imports only the
// rooms and packages of its row. Part of `npm run lint`.
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
  types: { packages: ['fastify', 'ws', '@fastify/websocket'] },
  'lib/errors.ts': { packages: ['@fastify/error'] },
  'lib/shared': {
    rooms: ['lib/errors.ts', 'types'],
    packages: ['@sinclair/typebox', 'parse-duration']
  },
  'lib/process': { rooms: base, packages: ['@sinclair/typebox'] },
  'lib/process/index.ts': { rooms: [...base, 'lib/process', 'lib/cluster/facade.ts'] },
  'lib/websocket': { rooms: [...base, 'lib/process/actor/mailbox.ts'], packages: ['ws'] },
  'lib/connection': {
    rooms: [...base, 'lib/process', 'lib/websocket'],
    packages: ['@sinclair/typebox']
  },
  'lib/upgrade': {
    rooms: [...base, 'lib/process', 'lib/websocket', 'lib/connection'],
    packages: ['@fastify/websocket', '@sinclair/typebox', 'fastify', 'ws']
  },
  'lib/cluster': { rooms: [...base, 'lib/process'] },
  'lib/cluster/engines': {
    rooms: [...base, 'lib/cluster'],
    packages: ['@nats-io/jetstream', '@nats-io/kv', '@nats-io/transport-node', 'ioredis']
  },
  'lib/index.ts': { rooms: ['lib', 'types'], packages: ['fastify', 'fastify-plugin'] }
}

function filesIn (folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.tst.ts'))
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
const roomOf = (path) => Object.keys(rooms).filter(isInside(path)).sort((a, b) => b.length - a.length)[0]

/** @returns true if a file of the room may import this file or package */
function isAllowed (room, imported) {
  const { rooms: others = [], packages = [] } = rooms[room]
  const isInOne = (list) => list.some(isInside(imported))
  if (existsSync(imported)) return isInOne([room, ...others])
  return imported.startsWith('node:') || isInOne(packages)
}

const problems = []
for (const file of ['lib', 'types'].flatMap(filesIn)) {
  const room = roomOf(file)
  for (const imported of new Set(importsOf(file))) {
    if (room !== undefined && isAllowed(room, imported)) continue
    problems.push(`${file} may not import ${imported}`)
  }
}
for (const text of problems) console.error(text)
if (problems.length > 0) {
  console.error('Allowed imports are in scripts/check-imports.mjs')
  process.exitCode = 1
}
