import { readFile } from 'node:fs/promises'
import t from 'tap'
import { rows } from './rows.js'

t.test('the table of faults has each row that is played, and no other', async (t) => {
  const page = await readFile(new URL('../../../docs/cluster.md', import.meta.url), 'utf8')
  const [, section] = /^## Faults$(.*?)^## /ms.exec(page)!
  const titles = Array.from(section.matchAll(/^\| ([^|]+?) \|/gm), ([, title]) => title).slice(1).filter((title) => !/^-+$/.test(title))
  t.strictSame(titles.sort(), Object.keys(rows).sort())
})
