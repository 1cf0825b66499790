// Compiles the binaries that the package ships: those for whose platform there is a C compiler. A
// release on Debian with gcc, gcc-aarch64-linux-gnu and musl-tools has all but musl on arm64.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prebuilt, thisTarget } from './binary.js'

const compilers = {
  'linux-x64.glibc': ['x86_64-linux-gnu-gcc'],
  'linux-x64.musl': ['x86_64-linux-musl-gcc', 'musl-gcc'],
  'linux-arm64.glibc': ['aarch64-linux-gnu-gcc'],
  'linux-arm64.musl': ['aarch64-linux-musl-gcc']
}

/** The headers of the dependency, or those that came with Node. */
function headers () {
  try {
    return createRequire(import.meta.url)('node-api-headers').include_dir
  } catch {
    return join(dirname(dirname(process.execPath)), 'include/node')
  }
}

const sources = ['send-many.c', 'ring.c']
  .map((name) => fileURLToPath(new URL(name, import.meta.url)))
const flags = ['-std=c99', '-O2', '-Wall', '-Wextra', '-fvisibility=hidden', '-fPIC', '-shared']

function machine (compiler) {
  const { stdout } = spawnSync(compiler, ['-dumpmachine'], { encoding: 'utf8' })
  return stdout ?? ''
}

for (const [target, names] of Object.entries(compilers)) {
  const own = target === thisTarget() ? ['cc'] : []
  // musl-gcc compiles for the machine that it runs on.
  const arch = target.includes('arm64') ? 'aarch64' : 'x86_64'
  const compiler = [...own, ...names].find((name) => machine(name).startsWith(arch))
  if (compiler === undefined) {
    console.log(`${target} is skipped: there is no ${names.join(', and no ')}`)
    continue
  }
  const output = prebuilt(target)
  mkdirSync(dirname(output), { recursive: true })
  const args = [...flags, '-I', headers(), ...sources, '-o', output]
  const { status } = spawnSync(compiler, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(1)
  console.log(`${target} is compiled by ${compiler}`)
}
