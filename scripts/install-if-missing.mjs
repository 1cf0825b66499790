// Installs the packages of the lock file when they are not there, so that `npm test` and
// `npm run demo` work on a fresh clone. Silent, and some 20 ms, when there is nothing to do.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The `packages` of a lock file, or undefined when it is missing or unreadable. */
function packagesOf (lockFile) {
  try {
    return JSON.parse(readFileSync(join(root, lockFile), 'utf8')).packages
  } catch {
    return undefined
  }
}

/** Why an installation is needed, or undefined when every package has the locked version. */
function whatIsMissing () {
  const wanted = packagesOf('package-lock.json')
  if (!wanted) return 'package-lock.json cannot be read'
  // npm leaves here what it has installed; contents are compared, for times say nothing
  // after a checkout.
  const installed = packagesOf('node_modules/.package-lock.json')
  if (!installed) return 'nothing is installed'
  for (const [path, { version, optional, peer, link }] of Object.entries(wanted)) {
    if (path === '' || link) continue
    const there = installed[path]
    if (!there && (optional || peer)) continue // for another platform
    if (there?.version !== version || !existsSync(join(root, path))) {
      return `${path.replace(/^.*node_modules\//, '')} ${version} is not installed`
    }
  }
}

const reason = whatIsMissing()
if (reason) {
  console.error(`Installing packages: ${reason}`)
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  // npm sets npm_execpath for its scripts; started by hand, the npm of the PATH is used.
  const npm = process.env.npm_execpath
  const { status, error } = npm
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: 'inherit' })
    : spawnSync('npm', args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
  if (error) throw error
  process.exitCode = status ?? 1
}
