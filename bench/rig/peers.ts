import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { peersFolder } from './machine.js'

function read (...path: string[]): { dependencies?: Record<string, string>, version?: string } {
  return JSON.parse(readFileSync(join(peersFolder, ...path), 'utf8')) as never
}

/** Installs the packages to compare with, unless their versions are installed already. */
export function installPeers (): void {
  const isThere = Object.entries(read('package.json').dependencies!).every(([name, version]) => {
    const path = ['node_modules', name, 'package.json']
    return existsSync(join(peersFolder, ...path)) && read(...path).version === version
  })
  if (isThere) return
  console.error('Installing what the bench compares with, into bench/peers/node_modules')
  const npm = process.env.npm_execpath
  const [command, ...args] = npm === undefined ? ['npm', 'ci'] : [process.execPath, npm, 'ci']
  const { status } = spawnSync(command, [...args, '--loglevel=error'], {
    cwd: peersFolder,
    stdio: 'inherit',
    shell: process.platform === 'win32' && npm === undefined
  })
  if (status !== 0) throw new Error('npm ci failed in bench/peers')
}
