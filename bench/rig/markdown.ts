/** Makes a table. The first column is text, the others are figures. */
export function table (columns: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const rule = columns.map((_, i) => i === 0 ? '---' : '---:')
  return [columns, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
