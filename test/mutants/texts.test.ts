// `npm run test:long` runs the mutants, which takes minutes. This quick test finds a mutant whose
// text is missing after a change of `lib/`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mutants as simulated } from '../cluster/mutants/list.js'
import { root } from '../program.js'
import { mutants } from './all.js'

const places = [
  ...mutants.map(({ name, file, search }) => ({ name, file: `lib/${file}`, search })),
  ...simulated.map(({ name, file, search }) => ({ name, file: `lib/cluster/${file}`, search }))
]

t.test('replaces a text that occurs once in its file', async (t) => {
  for (const { name, file, search } of places) {
    t.equal(
      readFileSync(join(root, file), 'utf8').split(search).length - 1,
      1,
      `${name}, in ${file}`
    )
  }
  t.equal(
    new Set(mutants.map(({ name }) => name)).size,
    mutants.length,
    'each has a name of its own'
  )
})
