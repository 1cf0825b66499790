import { html, nothing } from 'lit-html'
import { maxLimit } from '../frames.js'
import type { Content } from './ui.js'

/**
 * The line below a list that has not all rows.
 *
 * @param change of the route, for a button that asks for more rows
 */
export function foot (
  shown: number, matching: number, all: number, noun: string,
  change?: (query: { limit: string }) => void
): Content {
  if (shown === all) return nothing
  const of = matching === all ? `${all}` : `${matching} that match, of ${all}`
  const hasMore = change !== undefined && shown < matching && shown < maxLimit
  return html`<p class="foot"><span>${shown === matching
    ? `${matching} of ${all} ${noun} match.`
    : `The first ${shown} of ${of} ${noun}. Filter or sort to find others.`}</span>${hasMore
    ? html`<button type="button" class="quiet"
        @click=${() => { change({ limit: String(maxLimit) }) }}>Show up to ${maxLimit}</button>`
    : nothing}</p>`
}
