// Finds the compiled part of this package.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)

/** glibc reports its version, and musl none. */
function libc () {
  const { report } = process
  const { excludeNetwork } = report
  // Otherwise a report looks up the names of all peers.
  report.excludeNetwork = true
  const { glibcVersionRuntime } = report.getReport().header
  report.excludeNetwork = excludeNetwork
  return glibcVersionRuntime === undefined ? 'musl' : 'glibc'
}

/** The name of the prebuilt binary for this process, for example `linux-x64.glibc`. */
export function thisTarget () {
  const { platform, arch } = process
  return platform === 'linux' ? `${platform}-${arch}.${libc()}` : `${platform}-${arch}`
}

/** The place of a binary that the package ships. */
export function prebuilt (target) {
  return fileURLToPath(new URL(`prebuilds/${target}.node`, import.meta.url))
}

/** The place of the binary that was compiled at the installation. */
export const built = fileURLToPath(new URL('build/Release/send_many.node', import.meta.url))

/**
 * Loads the compiled binary. If there is none, or it cannot be loaded, the prebuilt one.
 * @throws Error if there is no binary for this platform, or none can be loaded
 */
export function loadBinary (target = thisTarget(), load = require) {
  let problem
  for (const path of [built, prebuilt(target)]) {
    if (!existsSync(path)) continue
    try {
      return load(path)
    } catch (err) {
      problem = err
    }
  }
  throw problem ?? new Error(`fastify-ws-relay-native has no binary for ${target}, and none was ` +
    'compiled: install a C compiler, and run npm rebuild --foreground-scripts ' +
    'fastify-ws-relay-native')
}
