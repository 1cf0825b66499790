// `node scripts/sizes.mjs [folders]`: the sizes of the TypeScript files of folders, as rows of the
// table in docs/decisions/0034. Without folders: lib, types and test.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, relative } from 'node:path'

const folders = process.argv.length > 2 ? process.argv.slice(2) : ['lib', 'types', 'test']

function filesOf (folder) {
  const listed = execFileSync('git', ['ls-files', '-z', '--', folder], { encoding: 'utf8' })
  return listed.split('\0').filter((path) => path.endsWith('.ts'))
}

/** How many lines that are not empty a text has, and how many of them lie in a comment. */
function countComments (lines) {
  let filled = 0
  let comments = 0
  let isOpen = false
  for (const line of lines.map((line) => line.trim()).filter((line) => line !== '')) {
    filled++
    const begins = line.startsWith('/*')
    if (isOpen || begins || line.startsWith('//')) comments++
    if (isOpen || begins) isOpen = !line.includes('*/')
  }
  return { filled, comments }
}

function thousands (number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ' ')
}

for (const folder of folders) {
  const files = filesOf(folder).map((path) => {
    const lines = readFileSync(path, 'utf8').replace(/\n$/, '').split('\n')
    return { path, length: lines.length, ...countComments(lines) }
  }).sort((a, b) => a.length - b.length)
  const sum = (field) => files.reduce((total, file) => total + file[field], 0)
  const inFolder = {}
  for (const { path } of files) inFolder[dirname(path)] = (inFolder[dirname(path)] ?? 0) + 1
  const longest = files.at(-1)
  console.log(`| ours now, \`${folder}/\` | ${[
    files.length,
    thousands(sum('length')),
    files[Math.floor(files.length / 2)].length,
    `${thousands(longest.length)} (\`${relative(folder, longest.path)}\`)`,
    files.filter(({ length }) => length > 400).length,
    Math.max(...Object.values(inFolder)),
    `${Math.round(100 * sum('comments') / sum('filled'))} %`
  ].join(' | ')} |`)
}
