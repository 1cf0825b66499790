// The spans are loaded only where they are imported, and they load no other room.
import t from 'tap'
import { filesLoadedBy } from '../program.js'

/** The files of `lib/` that an import loads, and whether it loads OpenTelemetry. */
async function loadedBy (...sources: string[]): Promise<string[]> {
  return await filesLoadedBy(sources, /opentelemetry\/\w+/)
}

t.test('the spans load the errors, their hook and the API of OpenTelemetry', async (t) => {
  const files = await loadedBy('lib/otel/index.ts')
  t.strictSame(files.filter((file) => file.startsWith('lib/')).sort(), [
    'lib/errors', 'lib/otel/index', 'lib/otel/process-spans', 'lib/otel/traceparent',
    'lib/shared/message-spans'
  ])
})

t.test('nothing else of the package loads the spans', async (t) => {
  const files = await loadedBy('lib/index.ts', 'lib/process/index.ts', 'lib/cluster/facade.ts')
  t.ok(files.includes('lib/index'))
  t.strictSame(files.filter((file) => /otel|telemetry/.test(file)), [])
})
