// The package loads the metrics only where they are imported, and they load nothing but errors.
import t from 'tap'
import { filesLoadedBy } from '../program.js'

/** The files of `lib/` that an import loads, and whether it loads a client of Prometheus. */
async function loadedBy (...sources: string[]): Promise<string[]> {
  return await filesLoadedBy(sources, /prom-client|prometheus-io|opentelemetry/)
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
