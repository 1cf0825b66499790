import { join } from 'node:path'
import { exec } from './install.js'

/** The ways in which TypeScript finds modules; what each is, is in fixtures/modes.mjs. */
export const modes = [
  'node16',
  'node18',
  'node20',
  'nodenext',
  'bundler',
  'preserve',
  'commonjs',
  'node10',
  'commonjs with node10'
] as const

export type Mode = typeof modes[number]

/**
 * Compiles a consumer of every subpath.
 *
 * @param folder `esm` or `cjs`: what the consumer's package.json says
 * @returns the errors in the consumer and in the files of this package, by mode
 */
export async function check (
  scratch: string,
  compiler: string,
  folder: 'esm' | 'cjs',
  some: readonly Mode[]
): Promise<Record<string, string[]>> {
  return JSON.parse(
    await exec(scratch, process.execPath, join(scratch, 'modes.mjs'), compiler, folder, ...some)
  )
}
