import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../program.js'

t.test('knows no topic of connections: their room gives it a codec', async (t) => {
  const folder = join(root, 'lib/cluster')
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.ts'))
  t.ok(files.length > 50)
  for (const file of files) {
    const text = await readFile(join(folder, file), 'utf8')
    t.notMatch(text, /\bws\.[a-z]/, file)
  }
})
