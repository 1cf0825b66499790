// Tests the checks of the compiler: each fault of mutations.ts is put into `lib/`, in memory, and
// must not compile.
import t from 'tap'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from '../program.js'
import { mutations } from './mutations.js'
import type { Mutation } from './mutations.js'

const { options, fileNames } = ts.getParsedCommandLineOfConfigFile(
  join(root, 'tsconfig.build.json'),
  { noEmit: true },
  {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic (diagnostic) {
      throw new Error(textOf([diagnostic]))
    }
  }
)!

function textOf (diagnostics: readonly ts.Diagnostic[]): string {
  return diagnostics
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
    .join('\n')
}

const sources = new Map<string, ts.SourceFile>()

/** The library with the text of one file replaced. All other files are parsed once. */
function program (path?: string, text?: string, old?: ts.Program): ts.Program {
  const host = ts.createCompilerHost(options)
  host.getSourceFile = (name, target) => {
    if (name === path) return ts.createSourceFile(name, text!, target, true)
    let source = sources.get(name)
    if (source === undefined && ts.sys.fileExists(name)) {
      source = ts.createSourceFile(name, ts.sys.readFile(name)!, target, true)
      sources.set(name, source)
    }
    return source
  }
  return ts.createProgram({ rootNames: fileNames, options, host, ...old && { oldProgram: old } })
}

function errorsIn (program: ts.Program, path: string): string {
  return textOf(program.getSemanticDiagnostics(program.getSourceFile(path)))
}

const unchanged = program()

function mutated ({ file, search, replace }: Mutation): {
  path: string
  text: string
  found: number
} {
  const path = join(root, file)
  const text = readFileSync(path, 'utf8')
  return { path, text: text.replace(search, () => replace), found: text.split(search).length - 1 }
}

t.test('reports no error when the library is as it is', async (t) => {
  for (const file of new Set(mutations.map(({ file }) => file))) {
    t.equal(errorsIn(unchanged, join(root, file)), '', file)
  }
})

t.test(
  'reports an error when a fault is in the implementation of a public interface',
  async (t) => {
    for (const mutation of mutations) {
      const { path, text, found } = mutated(mutation)
      if (found !== 1) {
        t.fail(`${mutation.name}: its text stands ${found} times in ${mutation.file}`)
      } else {
        const errors = errorsIn(program(path, text, unchanged), path)
        t.not(errors, '', mutation.name)
        t.comment(`${mutation.name}: ${errors.split('\n')[0]}`)
      }
    }
  }
)
