// The pages as a whole: links, tables that stand twice, the width of lines, dependencies.
import { access } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { root } from '../program.js'
import { allPages, page, rows, spans, tables } from './tables.js'

const width = 100
/** Files that a command makes. */
const made = ['test/soak/report.md']
const pages = await allPages()

/** A page without its code. */
async function text (path: string): Promise<string> {
  return (await page(path)).replace(/^ *```.*?^ *```$/gms, '')
}

/** The anchors that GitHub gives to the headings of a page. */
async function anchors (path: string): Promise<string[]> {
  return Array.from((await text(path)).matchAll(/^#+ (.*)$/gm), ([, heading]) =>
    heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'))
}

t.test('links between pages lead to a file, and to a heading of it', async (t) => {
  for (const path of pages) {
    for (const [, link] of (await text(path)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue
      const [file, anchor] = link.split('#')
      const target = file === '' ? path : join(dirname(path), file)
      await t.resolves(access(join(root, target)), `${path}: ${link}`)
      if (anchor !== undefined) t.ok((await anchors(target)).includes(anchor), `${path}: ${link}`)
    }
  }
})

t.test('files and folders of the repository that a page names exist', async (t) => {
  for (const path of pages.filter((path) => path !== 'CHANGELOG.md')) {
    for (const span of spans(await text(path))) {
      const isPath = /^(?:lib|types|test|examples|bench|scripts|docs|\.ci)\/[\w./-]*$/.test(span)
      if (!isPath || made.includes(span)) continue
      await t.resolves(access(join(root, span)), `${path}: ${span}`)
    }
  }
})

t.test('no row of a table stands on two pages', async (t) => {
  const seen = new Map<string, string>()
  for (const path of pages) {
    for (const row of tables(await text(path)).flatMap((table) => table.slice(1))) {
      const key = row.join(' | ')
      const other = seen.get(key)
      if (other !== undefined && other !== path) t.fail(`${other} and ${path}: ${key}`)
      seen.set(key, path)
    }
  }
})

t.test(`lines end at column ${width}, except in tables and in code`, async (t) => {
  for (const path of pages) {
    const isLong = (line: string): boolean =>
      !line.startsWith('|') && line.replace(/https?:[^)\s]+/g, '').length > width
    t.strictSame((await text(path)).split('\n').filter(isLong), [], path)
  }
})

t.test('the README gives a reason for each dependency', async (t) => {
  const manifest = JSON.parse(await page('package.json')) as Record<string, object>
  const { dependencies, peerDependencies, optionalDependencies } = manifest
  const all = Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies }).sort()
  const table = await rows('README.md', 'package', 'reason')
  t.strictSame(table.flatMap(([packages]) => spans(packages)).sort(), all)
  for (const [packages, reason] of table) t.not(reason, '', packages)
})

t.test('the README has at most 280 lines', async (t) => {
  t.ok((await page('README.md')).split('\n').length <= 280)
})

t.test(
  'each page of docs/ is in the index of the README, and each decision in theirs',
  async (t) => {
    const index = {
      docs: await page('README.md'),
      decisions: await page('docs/decisions/README.md')
    }
    for (const path of pages.filter((path) => path.startsWith('docs/'))) {
      const isDecision = path.startsWith('docs/decisions/') && !path.endsWith('README.md')
      if (isDecision) t.match(index.decisions, `(${path.slice('docs/decisions/'.length)})`)
      else t.match(index.docs, `(${path})`)
    }
  }
)
