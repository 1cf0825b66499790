// Module hooks. A module with a query passes it on to its imports. So each mutant has its own
// module
// graph, and nothing is ever written to `lib/`.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = new URL('../../', import.meta.url).href
const isOurs = (url) => url?.startsWith(root) === true && !url.startsWith(`${root}node_modules/`)
const compiled = new Map()

export function resolve (specifier, { parentURL = root, ...context }, next) {
  if (!/^(\.|file:)/.test(specifier) || !isOurs(parentURL)) {
    return next(specifier, { parentURL, ...context })
  }
  const url = new URL(specifier, parentURL)
  const typescript = url.pathname.replace(/\.js$/, '.ts')
  if (existsSync(fileURLToPath(new URL(typescript, url)))) url.pathname = typescript
  if (url.search === '') url.search = new URL(parentURL).search
  return { url: url.href, shortCircuit: true }
}

export function load (url, context, next) {
  if (!isOurs(url) || !new URL(url).pathname.endsWith('.ts')) return next(url, context)
  return { format: 'module', source: sourceOf(new URL(url)), shortCircuit: true }
}

function sourceOf (url) {
  const path = fileURLToPath(new URL(url.pathname, url))
  const mutant = JSON.parse(url.searchParams.get('mutant') ?? '{}')
  if (`${root}lib/${mutant.file}` === new URL(url.pathname, url).href) {
    return compile(path, mutate(readFileSync(path, 'utf8'), mutant))
  }
  if (!compiled.has(path)) compiled.set(path, compile(path, readFileSync(path, 'utf8')))
  return compiled.get(path)
}

function mutate (source, { file, search, replace }) {
  const parts = source.split(search)
  if (parts.length !== 2) {
    const count = parts.length - 1
    throw new Error(`lib/${file} has the text of this mutant ${count} times, not once: ${search}`)
  }
  return parts.join(replace)
}

function compile (fileName, source) {
  const { target, module } = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
  const compilerOptions = { target, module, verbatimModuleSyntax: true, inlineSourceMap: true }
  return ts.transpileModule(source, { fileName, compilerOptions }).outputText
}
