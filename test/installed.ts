// External programs that some tests need. Without them, the tests are skipped.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** The programs, and the Debian package of each. */
const packages = {
  'nats-server': 'nats-server',
  'redis-server': 'redis-server',
  faketime: 'faketime',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  Chromium: 'chromium'
} as const

/** Chromium, or a compatible browser. */
export const browserPath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'

function isInstalled (program: keyof typeof packages): boolean {
  return program === 'Chromium'
    ? existsSync(browserPath)
    : spawnSync(program, ['--version']).status === 0
}

/**
 * The reason to skip a test that needs a program, or `false` if it is installed. With `CI` set, a
 * missing program is an error. `scripts/tap-reporter.mjs` reads the reason.
 */
export function missing (program: keyof typeof packages): string | false {
  if (isInstalled(program)) return false
  const where = program === 'Chromium' ? ' or set CHROMIUM_PATH' : ''
  const reason = `no ${program}: install it (Debian: apt-get install ${packages[program]})${where}`
  if (process.env.CI) throw new Error(reason)
  return reason
}
