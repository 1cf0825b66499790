// The compiler for schemas of users is loaded only where protocols are imported.
import t from 'tap'
import { modulePath, modulesLoadedBy } from '../program.js'

async function loadedBy (source: string): Promise<string[]> {
  const stdout = await modulesLoadedBy(`await import(${JSON.stringify(modulePath(source))})`)
  return Array.from(stdout.matchAll(/\/(lib\/[^\n]*)\.[jt]s/g), ([, file]) => file)
    .filter((file) => !file.includes('node_modules'))
}

t.test('nothing else of the package loads the protocols', async (t) => {
  for (const source of ['lib/index.ts', 'lib/process/index.ts']) {
    const files = await loadedBy(source)
    t.ok(files.includes('lib/errors'), source)
    t.strictSame(files.filter((file) => file.startsWith('lib/protocol/')), [], source)
  }
})

t.test('the protocols load no connection, no process and no Fastify', async (t) => {
  const files = await loadedBy('lib/protocol/index.ts')
  t.strictSame([...new Set(files)].sort(), [
    'lib/connection/protocol/definition', 'lib/errors', 'lib/protocol/compile',
    'lib/protocol/index', 'lib/shared/duration', 'lib/shared/options'
  ])
})
