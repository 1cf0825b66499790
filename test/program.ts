// `npm test` runs the compiled tests in `.build/`; `npx tsx` and `npx tap` run the sources. These
// functions find programs and files of the repository in both cases.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const isCompiled = import.meta.filename.endsWith('.js')

/** The folder of the repository, not of the compiled copy. */
export const root = join(import.meta.dirname, isCompiled ? '../..' : '..')

/** The path of a source file such as `lib/index.ts`, or of its compiled file. */
export function modulePath (source: string): string {
  return isCompiled ? join(root, '.build', source.replace(/\.ts$/, '.js')) : join(root, source)
}

/** The arguments with which Node can import a source file: tsx, unless it is compiled. */
export const loader = isCompiled ? [] : ['--import', 'tsx']

/** The arguments with which Node runs a source file. */
export function program (source: string): string[] {
  return [...loader, modulePath(source)]
}

const traceLoads = `
  import { register } from 'node:module'
  register('data:text/javascript,' + encodeURIComponent(\`
    import { writeSync } from 'node:fs'
    export async function load (url, context, next) {
      writeSync(1, url + String.fromCharCode(10))
      return await next(url, context)
    }
  \`))
`

/** The URLs of all modules that a script loads in a Node of its own, one a line. */
export async function modulesLoadedBy (script: string): Promise<string> {
  const { stdout } = await promisify(execFile)('env', [
    '-u', 'NODE_OPTIONS', '-u', 'NODE_V8_COVERAGE', process.execPath,
    '--import', `data:text/javascript,${encodeURIComponent(traceLoads)}`, ...loader,
    '--input-type=module', '--eval', script
  ], { cwd: root, maxBuffer: 2 ** 24 })
  return stdout
}

/**
 * The files of `lib/` that imports load, without their endings, and the packages among them.
 *
 * @param packages matches the names of packages that are listed, too
 */
export async function filesLoadedBy (
  sources: readonly string[], packages: RegExp
): Promise<string[]> {
  const script = sources.map((source) => `await import(${JSON.stringify(modulePath(source))})`)
  const urls = (await modulesLoadedBy(script.join('\n'))).split('\n')
  const files = urls.map((url) => {
    const isOwn = !url.includes('/node_modules/')
    return isOwn ? /\/(lib\/.*)\.[jt]s/.exec(url)?.[1] : packages.exec(url)?.[0]
  })
  return [...new Set(files)].filter((file) => file !== undefined)
}
