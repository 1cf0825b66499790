import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { exec, fixtures } from './install.js'

/** The output of fixtures/server.mjs. Both engine clients tried to connect, so they were loaded. */
export const unreachable = `local: echoed
remote: echoed
closed: 1001,1001
nats: FST_CLUSTER_UNAVAILABLE
redis: FST_CLUSTER_UNAVAILABLE
`

interface Bundled {
  readonly output: string
  /** Warnings of the bundler about files of this package. */
  readonly warnings: string[]
}

/** Bundles fixtures/server.mjs and runs the result in a folder of its own, without node_modules. */
export async function bundle (
  t: Test,
  scratch: string,
  tool: string,
  format: string
): Promise<Bundled> {
  const folder = await mkdtemp(join(tmpdir(), 'fastify-ws-relay-bundle-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const said = await exec(
    scratch,
    process.execPath,
    join(fixtures, 'build.mjs'),
    tool,
    format,
    join(scratch, 'server.mjs'),
    folder
  )
  const output = await exec(
    folder,
    process.execPath,
    join(folder, `server.${format === 'cjs' ? 'cjs' : 'mjs'}`)
  )
  return {
    output,
    warnings: (JSON.parse(said) as string[]).filter((warning) =>
      warning.includes('fastify-ws-relay/')
    )
  }
}
