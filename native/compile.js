// Compiles the C sources without node-gyp, which needs Python and make.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const sources = ['send-many.c', 'ring.c']
  .map((name) => fileURLToPath(new URL(name, import.meta.url)))
const flags = ['-std=c99', '-O2', '-Wall', '-Wextra', '-fvisibility=hidden', '-fPIC']
// On macOS, Node's functions are found when the binary is loaded.
const linkFlags = process.platform === 'darwin'
  ? ['-bundle', '-undefined', 'dynamic_lookup']
  : ['-shared']

/** The headers of the dependency, or those that came with Node. None are downloaded. */
function headers () {
  try {
    return require('node-api-headers').include_dir
  } catch {
    return join(dirname(dirname(process.execPath)), 'include/node')
  }
}

/** @returns whether the output is there */
export function compile (compiler, output) {
  mkdirSync(dirname(output), { recursive: true })
  const args = [...flags, ...linkFlags, '-I', headers(), ...sources, '-o', output]
  const { status } = spawnSync(compiler, args, { stdio: 'inherit' })
  return status === 0
}
