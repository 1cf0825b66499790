import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { transform } from 'esbuild'
import { modulePath, root } from '../program.js'
import type { Test } from 'tap'

/** The first code block of a page below a heading. */
export async function snippet (page: string, heading: string, language = 'ts'): Promise<string> {
  const text = await readFile(join(root, page), 'utf8')
  const section = text.split(`\n## ${heading}\n`)[1]
  const code = section?.split(`\n\`\`\`${language}\n`)[1]?.split(/^```$/m)[0]
  if (code === undefined) throw new Error(`${page} has no code below '${heading}'`)
  return code
}

/** The code, with the client of this package built into the folder if the code reads it. */
async function withClient (code: string, folder: string): Promise<string> {
  const call = "import.meta.resolve('fastify-ws-relay/client')"
  if (!code.includes(call)) return code
  const build = pathToFileURL(join(root, 'scripts/build-client.mjs')).href
  const { bundleClient } = await import(build) as { bundleClient (): Promise<Uint8Array> }
  const file = join(folder, 'client.js')
  await writeFile(file, await bundleClient())
  return code.replace(call, JSON.stringify(pathToFileURL(file).href))
}

/**
 * Runs code of the docs as a module, on the sources of this package.
 * @param values globals of the code, in addition to the types that the page has introduced
 * @returns the exports of the code
 */
export async function run<T> (
  t: Test, code: string, values: Record<string, unknown> = {}
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'snippet-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const source = (await withClient(code, folder))
    .replaceAll("'fastify-ws-relay'", `'${pathToFileURL(modulePath('lib/index.ts')).href}'`)
    .replaceAll("'fastify-ws-relay/protocol'", `'${pathToFileURL(modulePath('lib/protocol/index.ts')).href}'`)
    .replaceAll("'@sinclair/typebox'", `'${import.meta.resolve('@sinclair/typebox')}'`)
    .replaceAll("'fastify'", `'${import.meta.resolve('fastify')}'`)
  const key = `__snippet${folder}`
  const names = Object.keys(values).join(', ')
  ;(globalThis as Record<string, unknown>)[key] = values
  t.teardown(() => { delete (globalThis as Record<string, unknown>)[key] })
  const file = join(folder, 'snippet.mjs')
  const { code: compiled } = await transform(source, { loader: 'ts' })
  await writeFile(file, `const { ${names} } = globalThis[${JSON.stringify(key)}]\n${compiled}`)
  return await import(pathToFileURL(file).href) as T
}
