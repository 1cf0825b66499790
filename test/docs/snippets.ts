import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Test } from 'tap'

const root = new URL('../../', import.meta.url)

/** The first code block of a page below a heading. */
export async function snippet (page: string, heading: string): Promise<string> {
  const text = await readFile(new URL(page, root), 'utf8')
  const section = text.split(`\n## ${heading}\n`)[1]
  const code = section?.split(/^```ts$/m)[1]?.split(/^```$/m)[0]
  if (code === undefined) throw new Error(`${page} has no code below '${heading}'`)
  return code
}

/**
 * Runs code of the docs as a module, on the sources of this package.
 * @param values what the code finds as globals, beside the types that a page takes for granted
 * @returns what the code exports
 */
export async function run<T> (t: Test, code: string, values: Record<string, unknown> = {}): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'snippet-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const source = code
    .replaceAll("'fastify-ws-relay'", `'${new URL('lib/index.ts', root).href}'`)
    .replaceAll("'fastify'", `'${import.meta.resolve('fastify')}'`)
  const key = `__snippet${folder}`
  const names = Object.keys(values).join(', ')
  ;(globalThis as Record<string, unknown>)[key] = values
  t.teardown(() => { delete (globalThis as Record<string, unknown>)[key] })
  const file = join(folder, 'snippet.mts')
  await writeFile(file, `const { ${names} } = globalThis[${JSON.stringify(key)}]\n${source}`)
  return await import(pathToFileURL(file).href) as T
}
