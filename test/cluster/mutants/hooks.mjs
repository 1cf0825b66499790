import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/**
 * Module hooks: a module with `?mutant=N` passes it on to its imports. The file of mutant N is
 * changed.
 */
const ours = /\/(lib|test)\/(cluster|connection|process)\/|\/lib\/errors\./
let mutants = []

export function initialize (list) {
  mutants = list
}

export async function resolve (specifier, context, nextResolve) {
  const mutant =
    /[?&]mutant=(\d+)/.exec(context.parentURL ?? '')?.[1] ??
    /[?&]mutant=(\d+)/.exec(specifier)?.[1]
  const plain = specifier.replace(/\?.*$/, '')
  if (mutant === undefined || !/^(\.|file:)/.test(plain)) return nextResolve(specifier, context)
  const url = new URL(plain.replace(/\.js$/, '.ts'), context.parentURL)
  url.search = ''
  return ours.test(url.href)
    ? { url: `${url.href}?mutant=${mutant}`, format: 'module', shortCircuit: true }
    : nextResolve(specifier, context)
}

export async function load (url, context, nextLoad) {
  const mutant = /\?mutant=(\d+)$/.exec(url)?.[1]
  if (mutant === undefined) return nextLoad(url, context)
  const path = fileURLToPath(url.replace(/\?.*$/, ''))
  let source = await readFile(path, 'utf8')
  const { file, search, replacement } = mutants[mutant]
  if (path.endsWith(join('/lib/cluster', file))) {
    if (source.split(search).length !== 2) {
      throw new Error(`'${search}' does not stand exactly once in ${file}`)
    }
    source = source.replace(search, () => replacement)
  }
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: {
      module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true
    }
  })
  return { format: 'module', source: outputText, shortCircuit: true }
}
