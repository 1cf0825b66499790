// Which binary the package loads. It is copied to a folder in which files stand for binaries.
import { copyFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { normalizeOptions } from '../../lib/registration/options.js'
import { UpgradeServer } from '../../lib/registration/upgrade-server.js'
import { loadNative } from '../../lib/websocket/native.js'
import { buildRuntime, recordingLogger } from '../process/helpers.js'
import { root } from '../program.js'

interface Binary {
  thisTarget (): string
  loadBinary (target?: string, load?: (path: string) => unknown): unknown
}

type Files = Parameters<Test['testdir']>[0]

/** @param files the binaries, with their contents */
function install (t: Pick<Test, 'testdir'>, files: Files): string {
  const folder = t.testdir(files)
  for (const name of ['package.json', 'index.js', 'binary.js']) {
    copyFileSync(join(root, 'native', name), join(folder, name))
  }
  return folder
}

async function binaryOf (folder: string): Promise<Binary> {
  return await import(pathToFileURL(join(folder, 'binary.js')).href) as Binary
}

const prebuilds = {
  'linux-x64.glibc.node': '',
  'linux-x64.musl.node': '',
  'linux-arm64.glibc.node': '',
  'linux-arm64.musl.node': ''
}

t.test('loads the prebuilt binary of the platform, the architecture and the C library', async (t) => {
  const { loadBinary, thisTarget } = await binaryOf(install(t, { prebuilds }))
  for (const name of Object.keys(prebuilds)) {
    t.equal(loadBinary(name.replace('.node', ''), (path) => basename(path)), name)
  }
  t.match(thisTarget(), new RegExp(`^${process.platform}-${process.arch}`))
  if (process.platform === 'linux') t.match(thisTarget(), /\.(glibc|musl)$/)
  t.throws(() => loadBinary('sunos-x64'), {
    message: /no binary for sunos-x64, and none was compiled: install a C compiler/
  })
})

t.test('prefers the compiled binary, unless it cannot be loaded', async (t) => {
  const build = { Release: { 'send_many.node': '' } }
  const { loadBinary } = await binaryOf(install(t, { prebuilds, build }))
  const paths: string[] = []
  t.equal(loadBinary('linux-x64.musl', (path) => basename(path)), 'send_many.node')
  const loaded = loadBinary('linux-x64.musl', (path) => {
    paths.push(basename(path))
    if (paths.length === 1) throw new Error('it is for another version')
    return 'prebuilt'
  })
  t.equal(loaded, 'prebuilt')
  t.strictSame(paths, ['send_many.node', 'linux-x64.musl.node'])
})

t.test('says once that a broken binary cannot be used, and works without it', async (t) => {
  const { thisTarget } = await binaryOf(join(root, 'native'))
  const folder = install(t, { prebuilds: { [`${thisTarget()}.node`]: 'no binary' } })
  const loaded = await loadNative({}, () => import(pathToFileURL(join(folder, 'index.js')).href))
  const { logger, lines } = recordingLogger()
  const { runtime, processes } = buildRuntime({ logger })
  new UpgradeServer(runtime, normalizeOptions({}).server).useNative(loaded)
  t.match(lines, [{
    level: 'info',
    args: [{ err: { code: 'ERR_DLOPEN_FAILED' } }, /^the native sender cannot be used/]
  }])
  t.equal(lines.length, 1)
  t.equal(processes.stats().connections.nativeSender, false)
})

t.test('says why io_uring cannot be used, and works without it', async (t) => {
  const binary = (errno: number): string => `export function loadBinary () {
    return { sendMany () {}, openRing () { return ${errno} } }
  }`
  t.teardown(() => { delete process.env.WS_RELAY_IO_URING })
  const load = async (isAsked: boolean, errno: number) => {
    process.env.WS_RELAY_IO_URING = isAsked ? '1' : ''
    const folder = t.testdir({ [`${isAsked}-${errno}`]: {} })
    const at = join(folder, `${isAsked}-${errno}`)
    for (const name of ['package.json', 'index.js']) {
      copyFileSync(join(root, 'native', name), join(at, name))
    }
    writeFileSync(join(at, 'binary.js'), binary(errno))
    return await loadNative({}, () => import(pathToFileURL(join(at, 'index.js')).href))
  }
  const { EPERM } = constants.errno
  t.strictSame(Object.keys(await load(false, EPERM)), ['sendMany'], 'it is not asked for')
  t.strictSame(Object.keys(await load(true, 0)), ['sendMany'])
  const refused = await load(true, EPERM)
  t.type(refused.sendMany, 'function')
  t.match(refused.err, { message: 'io_uring cannot be opened: EPERM', code: 'EPERM' })
})
