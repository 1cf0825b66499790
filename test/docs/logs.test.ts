// The tables of log lines agree with the code: each line has a row with its level, each row a line.
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { root } from '../program.js'
import { rows, spans } from './tables.js'

const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace']

type Constants = Map<string, ts.Expression>

interface Line {
  readonly level: string
  /** With `…` for each inserted value. */
  readonly text: string
  readonly at: string
}

/**
 * Returns all texts that an argument can have: of a literal, a constant of the file, a conditional,
 * or a sum.
 */
function textsOf (node: ts.Expression | undefined, constants: Constants): string[] {
  if (node === undefined) return []
  if (ts.isStringLiteralLike(node)) return [node.text]
  if (ts.isTemplateExpression(node)) {
    return [
      node.templateSpans.reduce((text, { literal }) => `${text}…${literal.text}`, node.head.text)
    ]
  }
  if (ts.isConditionalExpression(node)) {
    return [...textsOf(node.whenTrue, constants), ...textsOf(node.whenFalse, constants)]
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const ends = textsOf(node.right, constants)
    return textsOf(node.left, constants).flatMap((start) => ends.map((end) => start + end))
  }
  return ts.isIdentifier(node) ? textsOf(constants.get(node.text), constants) : []
}

/** Whether it is a parameter of its function: then the callers pass the text. */
function isParameter (node: ts.Expression | undefined): boolean {
  if (node === undefined || !ts.isIdentifier(node)) return false
  let scope: ts.Node = node
  while (!ts.isFunctionLike(scope)) scope = scope.parent
  return scope.parameters.some(({ name }) => name.getText() === node.text)
}

/**
 * The calls in a file that log: of a logger (`….log.warn(…)`), and of the method that logs
 * failures (`….logFailure(pid, err, text)`).
 */
async function linesIn (path: string): Promise<Line[]> {
  const text = await readFile(join(root, path), 'utf8')
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const constants: Constants = new Map()
  const lines: Line[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer) {
      constants.set(node.name.text, node.initializer)
    }
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      add(node, node.expression)
    }
    ts.forEachChild(node, visit)
  }
  const add = (call: ts.CallExpression, callee: ts.PropertyAccessExpression): void => {
    const { expression, name } = callee
    const isFailure = name.text === 'logFailure'
    const level = isFailure ? 'error' : name.text
    const isLogger = /(?:^|\.)(?:log|logger)$/.test(expression.getText())
    const last = call.arguments.at(-1)
    const texts = textsOf(last, constants)
    if (!levels.includes(level) || isParameter(last)) return
    if (texts.length === 0 && !isLogger && !isFailure) return
    const at = `${path}:${file.getLineAndCharacterOfPosition(call.getStart()).line + 1}`
    if (texts.length === 0) throw new Error(`${at} logs no text that this test can read`)
    for (const text of texts) lines.push({ level, text, at })
  }
  visit(file)
  return lines
}

interface Row {
  readonly level: string
  readonly pattern: RegExp
  readonly row: string
}

/** The rows of both tables; one row may describe several lines. */
async function documented (): Promise<Row[]> {
  const found: Row[] = []
  for (const page of ['docs/operations.md', 'docs/cluster-operation.md']) {
    for (const [level, lines] of await rows(page, 'level', 'line', 'meaning, and what to do')) {
      for (const line of spans(lines)) {
        const parts = line.split('…').map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        const pattern = new RegExp(`^${parts.join('.+')}$`)
        for (const each of level.split(' or ')) {
          found.push({ level: each, pattern, row: `${each} | ${line}` })
        }
      }
    }
  }
  return found
}

t.test('each line of the log has its row, and each row its line', async (t) => {
  const files = await readdir(join(root, 'lib'), { recursive: true })
  const sources = files.filter((name) => name.endsWith('.ts'))
  const lines = (await Promise.all(sources.map((name) => linesIn(`lib/${name}`)))).flat()
  t.ok(lines.length > 20)
  const table = await documented()
  const describes = ({ level, pattern }: Row, line: Line): boolean =>
    level === line.level && pattern.test(line.text)
  const undocumented = lines.filter((line) => !table.some((row) => describes(row, line)))
  t.strictSame(undocumented, [], 'lines without a row')
  const unused = table.filter((row) => !lines.some((line) => describes(row, line)))
  t.strictSame(unused.map(({ row }) => row), [], 'rows without a line')
})
