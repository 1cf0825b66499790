// The package loads the metrics only where they are imported, and they load nothing but errors.
import t from 'tap'
import { modulePath, modulesLoadedBy } from '../program.js'

/** The files of `lib/` that an import loads, and whether it loads a client of Prometheus. */
async function loadedBy (...sources: string[]): Promise<string[]> {
  const script = sources.map((source) => `await import(${JSON.stringify(modulePath(source))})`)
  const stdout = await modulesLoadedBy(script.join('\n'))
  const files = stdout.matchAll(/(?:\/(lib\/[^\n]*)\.[jt]s|(prom-client|prometheus-io|opentelemetry))/g)
  return [...new Set(Array.from(files, ([, file, client]) => file ?? client))]
    .filter((file) => !/^lib\/.*node_modules/.test(file))
}

t.test('the metrics load the errors, and nothing else of the package', async (t) => {
  const files = await loadedBy('lib/metrics/index.ts')
  t.strictSame(files.sort(), [
    'lib/errors', 'lib/metrics/collect', 'lib/metrics/index', 'lib/metrics/observe',
    'lib/metrics/source', 'lib/metrics/table'
  ])
})

t.test('nothing else of the package loads the metrics', async (t) => {
  const files = await loadedBy('lib/index.ts', 'lib/process/index.ts', 'lib/cluster/facade.ts')
  t.ok(files.includes('lib/index') && files.includes('lib/cluster/facade'))
  t.strictSame(files.filter((file) => /metrics|prom|telemetry/.test(file)), [])
})
