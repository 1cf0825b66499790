// Finds the compiled part of this package.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)

/** Whether the C library is musl: glibc reports its version, and musl none. */
function isMusl () {
  const { header } = process.report.getReport()
  return process.platform === 'linux' && header.glibcVersionRuntime === undefined
}

/** The place of the binary for this platform that the package ships. */
export function prebuilt () {
  const libc = process.platform === 'linux' ? isMusl() ? '.musl' : '.glibc' : ''
  return fileURLToPath(
    new URL(`prebuilds/${process.platform}-${process.arch}${libc}.node`, import.meta.url)
  )
}

/** The place of the binary that was compiled at the installation. */
export const built = fileURLToPath(new URL('build/Release/send_many.node', import.meta.url))

/** @throws Error if there is no binary for this platform, or it cannot be loaded */
export function loadBinary () {
  const path = [built, prebuilt()].find((candidate) => existsSync(candidate))
  if (path === undefined) {
    const { platform, arch } = process
    throw new Error(`fastify-ws-relay-native has no binary for ${platform} on ${arch}, and none ` +
      'was compiled: install a C compiler, and run npm rebuild fastify-ws-relay-native')
  }
  return require(path)
}
