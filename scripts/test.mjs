// Runs the tests. `node scripts/test.mjs [options] [files and folders]`:
//
//   (nothing)   types, and all but the long tests, with full coverage of `lib/`: `npm test`
//   --quick     what takes little, without types and coverage: `npm run test:quick`
//   --long      the long tests, with many more random histories: `npm run test:long`;
//               `--long --smoke` in short, without the random histories, which `npm test` has
//   test/upgrade  the tests of a folder, or of a file, each file in a process of its own
//
//   --no-coverage, --jobs <processes at a time>, --timeout <seconds of a file>
//   --shuffle <number>  the small files in another order, and so with other files in a process
//
// The files are compiled before and run by plain Node: the loaders that `tap run` gives to each
// process cost more than most files take. Slow files have a process of their own; small files share
// one (scripts/test-group.mjs), because its start takes longer than their tests.
// `docs/decisions/0032-*` has the figures.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { relative, resolve } from 'node:path'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Report } from 'c8'
import t from 'tap'
import { compile, output } from './compile.mjs'
import TapReporter, { groupName } from './tap-reporter.mjs'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    'no-coverage': { type: 'boolean', default: false },
    jobs: { type: 'string' },
    shuffle: { type: 'string' },
    timeout: { type: 'string' }
  }
})
const { quick, long, smoke } = options
const some = positionals.length > 0
/** `npm test`. */
const whole = !some && !quick && !long

/** Left to `npm run test:long`. A file that is named runs always. */
const longTests = [
  'test/cluster/faults/nats', 'test/cluster/faults/redis', 'test/cluster/fan-out',
  'test/cluster/keys/engines', 'test/package',
  'test/mutants/mutants', 'test/cluster/mutants/mutants', 'test/types/mutations',
  'test/integration/drain/restart-crowd', 'test/integration/keyed/kill-run',
  'test/websocket/with-native'
]

/** Suites of random histories: `npm run test:long` runs them with more. */
const histories = ['test/properties', 'test/cluster/simulation']

/**
 * Suites that do not count for coverage: each run reaches other lines, other tests cover all of
 * these, and counting takes a quarter more CPU.
 */
const uncounted = [
  'processes/calls', 'processes/relations', 'processes/supervisors', 'connections/connections',
  'connections/wire', 'cluster/fan-out', 'cluster/names', 'client/sessions', 'resume/resume',
  'resume/sockets', 'park/park'
].map((name) => `test/properties/${name}.test.ts`)

/**
 * Slow files begin first, because most of them wait and others can run meanwhile.
 * `npm run test:quick` leaves them out. Each has a process of its own.
 */
const slowTests = [
  'test/examples/cluster', 'test/browser', 'test/cluster/apart', 'test/cluster/simulation',
  'test/examples', 'test/cluster/engines/nats.test', 'test/cluster/engines/redis.test',
  'test/cluster/engines/nats/nats-cluster', 'test/cluster/engines/nats/nats-session',
  'test/cluster/engines/memory.test', 'test/cluster/engines/session/session-transport',
  'test/cluster/engines/tls',
  'test/cluster/faults', 'test/cluster/relay', 'test/cluster/facade',
  'test/integration/connection/churn', 'test/integration/connection/pressure',
  'test/integration/connection/outbound', 'test/bench', 'test/faults', 'test/abuse',
  'test/properties', 'test/client/cuts', 'test/metrics/prometheus'
]

const isOf = (list) => (file) => list.some((beginning) => file.startsWith(beginning))

function testsIn (folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => `${entry.parentPath}/${entry.name}`)
}

function testsOf (path) {
  const plain = relative('.', path)
  if (!existsSync(plain)) throw new Error(`there is no ${path}`)
  return statSync(plain).isDirectory() ? testsIn(plain) : [plain]
}

function wanted () {
  if (some) return [...new Set(positionals.flatMap(testsOf))]
  const all = testsIn('test')
  if (long) return all.filter(isOf(smoke ? longTests : [...longTests, ...histories]))
  const usual = all.filter((file) => !isOf(longTests)(file))
  return quick ? usual.filter((file) => !isOf(slowTests)(file)) : usual
}

function rank (file) {
  const index = [...longTests, ...slowTests].findIndex((beginning) => file.startsWith(beginning))
  return index === -1 ? Infinity : index
}

/** May share a process with others. A file that is named on the command line never does. */
function isSmall (file) {
  return !some && rank(file) === Infinity
}

/** The small files, by at most 18 of them: what one process runs. */
function groups (files) {
  const order = options.shuffle === undefined ? files : shuffled(files, Number(options.shuffle))
  const count = Math.ceil(order.length / 18)
  return Array.from({ length: count }, (_, n) => order.filter((_, index) => index % count === n))
}

/** The same order for the same number. */
function shuffled (files, seed) {
  const key = (file) => createHash('sha256').update(`${seed} ${file}`).digest('hex')
  return files.toSorted((a, b) => key(a) < key(b) ? -1 : 1)
}

const allTests = testsIn('test')
for (const beginning of [...longTests, ...slowTests, ...histories]) {
  if (allTests.some((file) => file.startsWith(beginning))) continue
  throw new Error(`no test begins with ${beginning}`)
}

const files = wanted().sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
const timeout = Number(options.timeout ?? (long ? smoke ? 600 : 3600 : 300))
const env = { ...process.env, TAP_TIMEOUT: String(timeout) }
// Tests of the native sender load it themselves; `test/websocket/with-native` runs suites with it.
env.WS_RELAY_NO_NATIVE ??= '1'
if (long) {
  if (smoke) env.TEST_SMOKE = '1'
  else {
    env.FC_RUNS ??= '200000'
    env.CLUSTER_SEEDS ??= '20000'
  }
} else if (!some) env.CLUSTER_SEEDS ??= '250'

const coverage = '.tap/coverage'
const withCoverage = whole && !options['no-coverage']
if (withCoverage) {
  env.COVERAGE_FOLDER = coverage
  rmSync(coverage, { recursive: true, force: true })
  mkdirSync(coverage, { recursive: true })
}

// The tests of the package share one tarball, because packing empties `dist/` and builds it anew.
if (files.some((file) => file.startsWith('test/package/'))) env.TEST_TARBALL ??= packed()

// On a busy machine the compiler takes longer than tap gives a test by itself.
t.setTimeout(0)
await compile()

const reporter = new TapReporter()
// Many of the slow ones wait most of the time: others use the cores meanwhile.
const cores = availableParallelism()
t.jobs = Number(options.jobs ?? (long ? cores + 1 : 2 * cores))
t.pipe(reporter).pipe(process.stdout)
if (whole) t.test('types', { buffered: true, timeout: 0 }, types)
const compiled = (file) => `${output}/${file.replace(/\.ts$/, '.js')}`

/** @returns the path of the packed package */
function packed () {
  const folder = resolve('.tap/package')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const args = ['pack', '--silent', '--pack-destination', folder]
  execFileSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] })
  return resolve(folder, readdirSync(folder)[0])
}

/** Runs a program as a test. `env -u`: tap puts its loader into NODE_OPTIONS of its children. */
function start (name, args, isCovered, more = {}) {
  const counter = isCovered ? ['--import', new URL('coverage.mjs', import.meta.url).href] : []
  const nodeArgs = ['--enable-source-maps', ...counter]
  t.spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, ...nodeArgs, ...args], {
    name,
    buffered: files.length > 1,
    env: { ...env, ...more },
    timeout: timeout * 1000,
    at: null,
    stack: ''
  })
}

for (const file of files.filter((file) => !isSmall(file))) {
  start(file, [compiled(file)], withCoverage && !uncounted.includes(file))
}
for (const group of groups(files.filter(isSmall))) {
  // Not as arguments: tap makes the names of its fixtures of them, and these would be too long.
  const more = { TEST_GROUP: group.map(compiled).join(' ') }
  start(groupName(group), ['scripts/test-group.mjs'], withCoverage, more)
}
t.teardown(finish)
t.end()

/** The compiler, which is TypeScript 7 because it takes a third of the CPU, and the type tests. */
async function types (t) {
  const cache = 'node_modules/.cache/types-7.tsbuildinfo'
  for (const args of [
    ['node_modules/typescript-7/bin/tsc', '--noEmit', '--incremental', '--tsBuildInfoFile', cache],
    ['node_modules/typescript-7/bin/tsc', '--noEmit', '-p', 'lib/client'],
    ['node_modules/tstyche/build/bin.js']
  ]) {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => { text += chunk })
    }
    const [code] = await once(child, 'close')
    const diagnostic = code === 0 ? undefined : text
    t.equal(code, 0, args[0].split('/')[1], { stack: '', diagnostic })
  }
}

/** Fails unless all of `lib/` is covered; prints what is not. */
async function finish () {
  for (const [reason, files] of reporter.missing) {
    console.log(`Skipped, ${reason}: ${files.join(', ')}`)
  }
  if (!withCoverage) return
  if (reporter.missing.size > 0) {
    console.log('Full coverage was not demanded, because tests were skipped')
    return
  }
  const report = new Report({
    tempDirectory: coverage,
    reportsDirectory: '.tap/report',
    reporter: ['text'],
    skipFull: true,
    excludeNodeModules: true
  })
  const summary = (await report.getCoverageMapFromAllCoverageFiles()).getCoverageSummary()
  const parts = ['lines', 'branches', 'functions', 'statements']
  if (parts.every((part) => summary[part].pct === 100)) return
  await report.run()
  console.log('Not all of lib/ is covered')
  process.exitCode = 1
}
