// Compiles the binaries that the package ships: those for whose platform there is a C compiler. It
// runs before the package is packed. Debian with gcc, gcc-aarch64-linux-gnu and musl-tools has all
// but musl on arm64; a binary for musl has no io_uring there, because its headers have none.
import { spawnSync } from 'node:child_process'
import { prebuilt, thisTarget } from './binary.js'
import { compile } from './compile.js'

const compilers = {
  'linux-x64.glibc': ['x86_64-linux-gnu-gcc'],
  'linux-x64.musl': ['x86_64-linux-musl-gcc', 'musl-gcc'],
  'linux-arm64.glibc': ['aarch64-linux-gnu-gcc'],
  'linux-arm64.musl': ['aarch64-linux-musl-gcc']
}

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
    console.error(`${target} is skipped: there is no ${names.join(', and no ')}`)
    continue
  }
  if (!compile(compiler, prebuilt(target))) process.exit(1)
  console.error(`${target} is compiled by ${compiler}`)
}
