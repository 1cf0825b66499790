import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../../../program.js'
import { rows } from './rows.js'

t.test('docs/cluster-operation.md lists exactly the faults that are played', async (t) => {
  const page = await readFile(join(root, 'docs/cluster-operation.md'), 'utf8')
  const [, table] = /^\| fault \|.*?\n.*?\n(.*?)\n\n/ms.exec(page)!
  const titles = table.split('\n').map((line) => line.split('|')[1].trim())
  t.strictSame(
    titles.sort(),
    [...new Set([...Object.keys(rows.nats), ...Object.keys(rows.redis)])].sort()
  )
})
