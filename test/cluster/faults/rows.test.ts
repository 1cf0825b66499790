import { readFile } from 'node:fs/promises'
import t from 'tap'
import { rows } from './rows.js'

t.test('the table of faults has each row that is played, and no other', async (t) => {
  const page = await readFile(new URL('../../../docs/cluster.md', import.meta.url), 'utf8')
  const [, table] = /^\| fault \|.*?\n.*?\n(.*?)\n\n/ms.exec(page)!
  const titles = table.split('\n').map((line) => line.split('|')[1].trim())
  t.strictSame(titles.sort(), Object.keys(rows).sort())
})
