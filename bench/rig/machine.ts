import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { join } from 'node:path'

// This file runs from bench/dist/bench/rig.
export const benchFolder = join(import.meta.dirname, '../../..')
export const peersFolder = join(benchFolder, 'peers')
export const compiledFolder = join(benchFolder, 'dist/bench')

/** The machine and the versions of a run. */
export interface Machine {
  date: string
  cpu: string
  cores: number
  memory: string
  system: string
  node: string
  pinned: boolean
  /** The load average of the last minute. */
  load: number
  versions: Record<string, string>
}

function hasTaskset (): boolean {
  if (availableParallelism() < 2) return false
  try {
    execFileSync('taskset', ['-c', '0,1', 'true'])
    return true
  } catch {
    return false
  }
}

const pinned = hasTaskset()

/** Makes a command run on one core, where the system supports it. */
export function onCore (core: 0 | 1, command: readonly string[]): readonly string[] {
  return pinned ? ['taskset', '-c', String(core), ...command] : command
}

/** Moves a running process to one core, where the system supports it. */
export function moveToCore (core: 0 | 1, pid: number): void {
  if (pinned) execFileSync('taskset', ['-acp', String(core), String(pid)], { stdio: 'ignore' })
}

function versionOf (folder: string): string {
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string })
    .version
}

export function describeMachine (): Machine {
  const versions = Object.fromEntries(
    ['ws', '@fastify/websocket', 'socket.io', 'fastify', 'bufferutil'].map((name) => [
      name,
      versionOf(join(peersFolder, 'node_modules', name))
    ])
  )
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0]?.model.trim() ?? arch(),
    cores: availableParallelism(),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${release()}`,
    node: process.version,
    pinned,
    load: loadavg()[0],
    versions: { 'fastify-ws-relay': versionOf(join(benchFolder, '..')), ...versions }
  }
}
