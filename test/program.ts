// `npm test` runs the compiled tests in `.build/`; `npx tsx` and `npx tap` run the sources. These
// functions find programs and files of the repository in both cases.
import { join } from 'node:path'

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
