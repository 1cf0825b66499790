import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../program.js'

/** The text of a page, such as `README.md`. */
export async function page (path: string): Promise<string> {
  return await readFile(join(root, path), 'utf8')
}

/** A page with each run of white space as one blank: a sentence is found wherever its lines break. */
export async function prose (path: string): Promise<string> {
  return (await page(path)).replace(/\s+/g, ' ')
}

/** All tables of a page, each as rows of cells, the head first. */
export async function tables (path: string): Promise<string[][][]> {
  const found: string[][][] = []
  let isInside = false
  for (const line of (await page(path)).split('\n')) {
    if (!line.startsWith('|')) isInside = false
    else if (!isInside) {
      isInside = true
      found.push([cells(line)])
    } else if (!/^\|[-: |]+\|$/.test(line)) found.at(-1)!.push(cells(line))
  }
  return found
}

/** The rows of all tables of a page with such a head. */
export async function rows (path: string, ...head: string[]): Promise<string[][]> {
  const wanted = (await tables(path)).filter(([first]) => head.every((name, i) => first[i] === name))
  if (wanted.length === 0) throw new Error(`${path} has no table with the head ${head.join(' | ')}`)
  return wanted.flatMap((table) => table.slice(1))
}

/** The code spans of a text. */
export function spans (text: string): string[] {
  return Array.from(text.matchAll(/`([^`]+)`/g), ([, code]) => code)
}

function cells (line: string): string[] {
  return line.slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim())
}
