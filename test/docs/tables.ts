import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../program.js'

/** The text of a page, such as `README.md`. */
export async function page (path: string): Promise<string> {
  return await readFile(join(root, path), 'utf8')
}

/** The pages that the package contains, and CONTRIBUTING. */
export async function allPages (): Promise<string[]> {
  const names = await readdir(join(root, 'docs'), { recursive: true })
  const docs = names.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
  return ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...docs]
}

/** A page with each run of white space as one blank: a sentence is found wherever it wraps. */
export async function prose (path: string): Promise<string> {
  return (await page(path)).replace(/\s+/g, ' ')
}

/** The text of one section of a page, below its `##` heading. */
export async function section (path: string, heading: string): Promise<string> {
  const text = (await page(path)).split(`\n## ${heading}\n`)[1]
  if (text === undefined) throw new Error(`${path} has no section '${heading}'`)
  return text.split('\n## ')[0]
}

/** All tables of a text, each as rows of cells, the head first. */
export function tables (text: string): string[][][] {
  const found: string[][][] = []
  let isInside = false
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) isInside = false
    else if (!isInside) {
      isInside = true
      found.push([cells(line)])
    } else if (!/^\|[-: |]+\|$/.test(line)) found.at(-1)!.push(cells(line))
  }
  return found
}

/** The rows of all tables with such a head. */
export async function rows (path: string, ...head: string[]): Promise<string[][]> {
  return rowsOf(await page(path), path, head)
}

/** The rows of all tables with such a head in one section of a page. */
export async function rowsOfSection (
  path: string, heading: string, ...head: string[]
): Promise<string[][]> {
  return rowsOf(await section(path, heading), `${path}, '${heading}'`, head)
}

function rowsOf (text: string, place: string, head: string[]): string[][] {
  const wanted = tables(text).filter(([first]) => head.every((name, i) => first[i] === name))
  if (wanted.length === 0) throw new Error(`${place} has no table ${head.join(' | ')}`)
  return wanted.flatMap((table) => table.slice(1))
}

/** The code spans of a text. */
export function spans (text: string): string[] {
  return Array.from(text.matchAll(/`([^`]+)`/g), ([, code]) => code)
}

function cells (line: string): string[] {
  return line.slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim())
}
