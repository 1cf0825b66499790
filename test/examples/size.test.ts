// The applications of `examples/` show how little an application needs.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../program.js'

/** The most lines of the server and of the page, without imports, types and comments. */
const limits = {
  'rooms.ts': { server: 25, client: 20 },
  'agent.ts': { server: 25, client: 20 },
  'notify.ts': { server: 20, client: 20 }
}

/** The page, which is part of the file. */
const html = /^const html = `[\s\S]*?`$/m

const uncounted = [
  /^\s*\/\*\*[\s\S]*?\*\/$/gm,
  /^\s*\/\/.*$/gm,
  /^import [^']*'.*$/gm,
  /^(?:export )?(?:declare module|interface|type) [^\n]*(?:\}|[^{])$/gm,
  /^(?:export )?(?:declare module|interface) [\s\S]*?^\}$/gm
]

const linesOf = (text: string) => text.split('\n').filter((line) => line.trim() !== '')

for (const [file, { server, client }] of Object.entries(limits)) {
  t.test(`needs at most ${server} lines for the server of ${file}, and ${client} for its page`,
    async (t) => {
      const text = await readFile(join(root, 'examples', file), 'utf8')
      t.ok(linesOf(text).every((line) => line.length <= 100), 'no line is longer than 100 columns')
      const page = linesOf(html.exec(text)?.[0] ?? '')
      t.ok(page.length <= client, `${page.length} lines of the page`)
      const without = uncounted.reduce((rest, part) => rest.replace(part, ''), text.replace(html, ''))
      const lines = linesOf(without)
      t.ok(lines.length <= server, `${lines.length} lines of the server`)
      t.ok(lines.length > 10, 'no code is taken for a comment')
    })
}
