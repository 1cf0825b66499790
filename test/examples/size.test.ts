// The applications of `examples/` show how little an application needs.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../program.js'

/** The most lines of each, without imports, types, comments and blank lines. */
const limits = { 'rooms.ts': 30, 'agent.ts': 30, 'notify.ts': 30 }

const uncounted = [
  /^\s*\/\*\*[\s\S]*?\*\/$/gm,
  /^\s*\/\/.*$/gm,
  /^import [^']*'.*$/gm,
  /^(?:export )?(?:declare module|interface|type) [^\n]*(?:\}|[^{])$/gm,
  /^(?:export )?(?:declare module|interface) [\s\S]*?^\}$/gm
]

for (const [file, limit] of Object.entries(limits)) {
  t.test(`needs at most ${limit} lines of ${file}`, async (t) => {
    const text = await readFile(join(root, 'examples', file), 'utf8')
    const code = uncounted.reduce((rest, pattern) => rest.replace(pattern, ''), text)
    const lines = code.split('\n').filter((line) => line.trim() !== '')
    t.ok(lines.length <= limit, `${lines.length} lines`)
    t.ok(lines.length > 10, 'no code is taken for a comment')
    t.ok(lines.every((line) => line.length <= 100), 'no line is longer than 100 columns')
  })
}
