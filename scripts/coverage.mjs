// `node --import` this: counts the code of `lib/` that a process has run, for the report of
// `npm test`. Node's own NODE_V8_COVERAGE would write ten times as much, of all packages, and in
// every child process too.
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'

const { COVERAGE_FOLDER: folder } = process.env
const library = new URL('../.build/lib/', import.meta.url).href

const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
process.on('exit', () => {
  session.post('Profiler.takePreciseCoverage', (err, { result }) => {
    if (err) throw err
    const ours = result.filter(({ url }) => url.startsWith(library))
    if (ours.length === 0) return
    writeFileSync(`${folder}/coverage-${process.pid}.json`, JSON.stringify({ result: ours }))
  })
})
