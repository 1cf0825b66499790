import { html, nothing } from 'lit-html'
import { plural } from '../format.js'
import { foot } from '../foot.js'
import { empty, heading } from '../ui.js'
import { causes } from '../words.js'
import { filterOf, type ViewOf } from './context.js'
import { endList } from './end-list.js'

/** The causes, in the order of their table. */
const options = Object.entries(causes)

export const ends: ViewOf<'ends'> = (context) => {
  const { answer: { rows, total, matched }, node, route: { query }, known, change } = context
  const { cause = '', filter = '' } = query
  const sub = total === 0 ? nothing : `${plural(total, 'end')}, newest first`
  const isFiltered = cause !== '' || filter !== ''
  return html`${heading('Ends', sub, html`
      <select aria-label="Cause" @change=${(event: Event) => {
        change({ cause: (event.target as HTMLSelectElement).value })
      }}><option value="" ?selected=${cause === ''}>All causes</option>${options.map(
        ([name, { short }]) => html`<option value=${name} ?selected=${cause === name}
          >${short}</option>`)}</select>
      ${filterOf(context, 'Filter ends')}`)}
    <section class="card" aria-label="Ends">${rows.length === 0
      ? isFiltered
        ? empty('No match', 'No end has this cause and this text.')
        : empty('Nothing has ended', 'Ends of processes and connections appear here.')
      : html`${endList(rows, node, {
          isFresh: ({ pid }) => known !== undefined && !known.has(pid)
        })}
        ${foot(rows.length, matched, total, 'ends', change)}`}</section>`
}
