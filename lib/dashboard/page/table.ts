// A table with sortable columns. The server sorts: it has rows that the page has not.
import { html, svg, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import type { Content } from './ui.js'

export interface Column<Row> {
  readonly title: string
  /** The name by which the server sorts; absent: the column cannot be sorted. */
  readonly sort?: string
  /** Right-aligned digits. */
  readonly isNumber?: boolean
  /** Left out on a phone. The first column then says the same, where it matters. */
  readonly isWide?: boolean
  /** Sorts upwards first, as names do. */
  readonly ascends?: boolean
  cell (row: Row): Content
}

export interface Sorting {
  readonly by: string
  readonly descending: boolean
}

export interface Table<Row> {
  readonly caption: string
  readonly columns: ReadonlyArray<Column<Row>>
  readonly rows: readonly Row[]
  /** Identifies a row, so that focus stays on it when the order changes. */
  keyOf (row: Row): string
  /** Whether a row is new since the last answer, and is shown so for a moment. */
  isNew? (row: Row): boolean
  readonly sorting?: Sorting
  sortBy? (sorting: Sorting): void
}

const arrow = svg`<svg class="arrow" viewBox="0 0 10 10" aria-hidden="true">
  <path d="M1 3h8L5 8z"></path></svg>`

function classOf<Row> ({ isNumber, isWide }: Column<Row>): string {
  return `${isNumber ? 'number' : ''} ${isWide ? 'wide' : ''}`.trim()
}

function head<Row> (column: Column<Row>, { sorting, sortBy }: Table<Row>): TemplateResult {
  const { title, sort } = column
  if (sort === undefined || sortBy === undefined) {
    return html`<th scope="col" class=${classOf(column)}>${title}</th>`
  }
  const isChosen = sorting?.by === sort
  const state = !isChosen ? 'none' : sorting.descending ? 'descending' : 'ascending'
  const choose = () => {
    sortBy({ by: sort, descending: isChosen ? !sorting.descending : column.ascends !== true })
  }
  return html`<th scope="col" class=${classOf(column)} aria-sort=${state}>
    <button type="button" @click=${choose}>${title}${arrow}</button></th>`
}

/** The first column is the header of each row. */
function line<Row> (row: Row, { columns, isNew }: Table<Row>): TemplateResult {
  return html`<tr class=${isNew?.(row) === true ? 'new' : ''}>${columns.map((column, index) =>
    index === 0
      ? html`<th scope="row">${column.cell(row)}</th>`
      : html`<td class=${classOf(column)}>${column.cell(row)}</td>`)}</tr>`
}

export function table<Row> (options: Table<Row>): TemplateResult {
  const { caption, columns, rows, keyOf } = options
  return html`<div class="scroll"><table>
    <caption class="unseen">${caption}</caption>
    <thead><tr>${columns.map((column) => head(column, options))}</tr></thead>
    <tbody>${repeat(rows, keyOf, (row) => line(row, options))}</tbody>
  </table></div>`
}
