// Installs the programs of the tests, with stand-ins for the commands that change the machine.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { root } from './program.js'

/** The commands of `.ci/programs` for a user, where nothing is installed. */
function commandsFor (user: number): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'programs-'))
  const log = join(folder, 'log')
  const standIn = (name: string, script: string): void => {
    writeFileSync(join(folder, name), `#!/bin/bash\n${script}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  standIn('id', `echo ${user}`)
  for (const name of ['sudo', 'apt-get']) standIn(name, `echo ${name} "$@" >> ${log}`)
  standIn('service', 'exit 1')
  for (const name of ['mktemp', 'rm', 'tail']) {
    symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(folder, name))
  }
  try {
    const env = { PATH: folder, CHROMIUM_PATH: join(folder, 'chromium') }
    execFileSync('/bin/bash', [join(root, '.ci/programs')], { env })
    return readFileSync(log, 'utf8').trim().split('\n')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const skip = process.platform !== 'linux' && 'the programs are Debian packages'

t.test('installs what is missing, with sudo unless as root', { skip }, async (t) => {
  const [update, install, ...rest] = commandsFor(0)
  t.equal(update, 'apt-get update -qq')
  t.match(install, /^apt-get install -y .* nats-server redis-server .*chromium$/)
  t.strictSame(rest, [])
  const asUser = commandsFor(1000).filter((line) => !line.includes('service'))
  t.strictSame(asUser, [update, install].map((line) => `sudo -E ${line}`))
})
