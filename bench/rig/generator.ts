import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { join } from 'node:path'
import { compiledFolder, onCore } from './machine.js'

const run = promisify(execFile)
const timeout = 120_000

/** Runs the load generator on core 1. */
export async function generate<R> (spec: object): Promise<R> {
  const [command, ...args] = onCore(1, [
    process.execPath,
    join(compiledFolder, 'load/main.js'),
    JSON.stringify(spec)
  ])
  return JSON.parse((await run(command, args, { timeout })).stdout) as R
}

/**
 * Runs a bench of bench/process on core 0.
 *
 * @param folder where `bench` is compiled: of another revision, for `bench:before`
 */
export async function runInProcess<R> (
  name: string,
  options: object,
  folder = compiledFolder
): Promise<R> {
  const [command, ...args] = onCore(0, [
    process.execPath,
    '--expose-gc',
    '--max-old-space-size=8192',
    join(folder, 'process/main.js'),
    name,
    JSON.stringify(options)
  ])
  return JSON.parse((await run(command, args, { timeout, maxBuffer: 2 ** 24 })).stdout) as R
}
