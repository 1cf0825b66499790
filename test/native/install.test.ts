// The installation of the native sender never fails, and downloads nothing.
import { spawnSync } from 'node:child_process'
import {
  chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync
} from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { root } from '../program.js'

const source = join(root, 'native')

/**
 * Installs a copy of the sources.
 * @param programs scripts of a shell by name: all that is in the PATH
 */
function install (
  folder: string, programs: Record<string, string>
): { status: number | null, said: string } {
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  for (const name of readdirSync(source)) {
    if (statSync(join(source, name)).isFile()) copyFileSync(join(source, name), join(folder, name))
  }
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  const { status, stderr } = spawnSync(process.execPath, ['install.js'], {
    cwd: folder, env: { PATH: bin }, encoding: 'utf8'
  })
  return { status, said: stderr }
}

t.test('succeeds without a compiler, and says so', async (t) => {
  const { status, said } = install(t.testdir(), {})
  t.equal(status, 0)
  t.match(said, /^fastify-ws-relay works without fastify-ws-relay-native: it could not be compiled/)
})

t.test('leaves nothing of an attempt that failed', async (t) => {
  const folder = t.testdir()
  const built = join(folder, 'build/Release/send_many.node')
  const fails = 'while [ "$1" != -o ]; do shift; done; echo broken > "$2"; exit 1'
  t.equal(install(folder, { cc: fails }).status, 0)
  t.notOk(existsSync(built))
})

t.test('gives node-gyp the headers that came with Node, so that it downloads none', async (t) => {
  const folder = t.testdir()
  const { said } = install(folder, { 'node-gyp': 'echo "node-gyp $*" >&2; exit 1' })
  const prefix = dirname(dirname(process.execPath))
  const hasHeaders = existsSync(join(prefix, 'include/node/node_api.h'))
  t.equal(said.includes(`node-gyp rebuild --nodedir=${prefix}`), hasHeaders)
  t.equal(said.includes('node-gyp'), hasHeaders)
})

const cc = spawnSync('sh', ['-c', 'command -v cc'], { encoding: 'utf8' }).stdout.trim()
const skip = cc === '' && 'there is no C compiler'

t.test('compiles without node-gyp, Python and make', { skip }, async (t) => {
  const folder = t.testdir()
  const { PATH } = process.env
  const { status, said } = install(folder, { cc: `PATH='${PATH}' exec '${cc}' "$@"` })
  t.equal(status, 0)
  t.equal(said, '')
  t.ok(existsSync(join(folder, 'build/Release/send_many.node')))
})
