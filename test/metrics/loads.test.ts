// The package loads the metrics only where they are imported, and they load nothing but errors.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { loader, modulePath, root } from '../program.js'

/** The files of `lib/` that an import loads, and whether it loads a client of Prometheus. */
async function loadedBy (...sources: string[]): Promise<string[]> {
  const trace = `
    import { register } from 'node:module'
    register('data:text/javascript,' + encodeURIComponent(\`
      import { writeSync } from 'node:fs'
      export async function load (url, context, next) {
        writeSync(1, url + String.fromCharCode(10))
        return await next(url, context)
      }
    \`))
  `
  const script = sources.map((source) => `await import(${JSON.stringify(modulePath(source))})`)
  const { stdout } = await promisify(execFile)('env', [
    '-u', 'NODE_OPTIONS', '-u', 'NODE_V8_COVERAGE', process.execPath,
    '--import', `data:text/javascript,${encodeURIComponent(trace)}`, ...loader,
    '--input-type=module', '--eval', script.join('\n')
  ], { cwd: root })
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
