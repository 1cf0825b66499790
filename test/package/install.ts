// Gives a test the package as a user has it: the tarball is installed outside of the repository,
// where nothing of its node_modules can be found by accident. `scripts/test.mjs` has packed it.
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../program.js'
import type { Test } from 'tap'

const run = promisify(execFile)

export const fixtures = join(root, 'test', 'package', 'fixtures')

/** The environment of a user's shell, without what npm puts there for the scripts it runs. */
const env = Object.fromEntries(Object.entries(process.env)
  .filter(([name]) => !/^npm_(?!config_)|^npm_config_local_prefix$/.test(name)))

/**
 * Runs a program; a failure carries what it printed. tap adds its loaders to the NODE_OPTIONS of
 * every child, whatever `env` says: users do not have them, so `env -u` takes them away again.
 */
export async function exec (cwd: string, file: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await run('env', ['-u', 'NODE_OPTIONS', file, ...args], {
      cwd,
      env,
      maxBuffer: 1e8
    })
    return stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string, stderr: string }
    throw new Error(`${file} ${args.join(' ')} failed\n${stdout}${stderr}`, { cause: error })
  }
}

const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))

/** A dependency as npm takes it, in the version the repository has. */
export function dependency (name: string): string {
  return `${name}@${manifest.devDependencies[name]}`
}

/** An empty project with the packed package, Fastify and the fixtures in it. @returns its folder */
export async function install (
  t: Pick<Test, 'teardown'>,
  ...dependencies: string[]
): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), 'fastify-ws-relay-consumer-'))
  t.teardown(() => rm(scratch, { recursive: true, force: true }))
  await cp(fixtures, scratch, { recursive: true })
  const tarball = process.env.TEST_TARBALL ?? await pack(join(scratch, 'tarball'))
  await writeFile(join(scratch, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  await add(scratch, tarball, dependency('fastify'), ...dependencies)
  return scratch
}

/** @returns the path of the tarball */
async function pack (folder: string): Promise<string> {
  await mkdir(folder)
  await exec(root, 'npm', 'pack', '--silent', '--pack-destination', folder)
  const [tarball] = await readdir(folder)
  return join(folder, tarball)
}

/** Installs more packages. */
export async function add (scratch: string, ...dependencies: string[]): Promise<void> {
  await exec(
    scratch,
    'npm',
    'install',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    ...dependencies
  )
}
