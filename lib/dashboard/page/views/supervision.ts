// The supervision tree: the restarts of each child, and how many its supervisor may still make.
import { html, nothing, type TemplateResult } from 'lit-html'
import type { SupervisionRow, SupervisorState } from '../../frames.js'
import { ago, duration, plural } from '../format.js'
import { foot } from '../foot.js'
import { bar, empty, heading, pill, processLink } from '../ui.js'
import { filterOf, type Surroundings, type ViewOf } from './context.js'

interface Branch {
  readonly row: SupervisionRow
  readonly children: Branch[]
}

/** A restart that a reader should see. */
const fresh = 60_000

/** Rows with depths as a tree. */
export function treeOf (rows: readonly SupervisionRow[]): Branch[] {
  const roots: Branch[] = []
  const path: Branch[] = []
  for (const row of rows) {
    const branch = { row, children: [] }
    path.length = Math.min(path.length, row.depth)
    const parent = path.at(-1)
    if (parent === undefined) roots.push(branch)
    else parent.children.push(branch)
    path.push(branch)
  }
  return roots
}

const strategies: Readonly<Record<SupervisorState['strategy'], string>> = {
  one_for_one: 'one for one',
  one_for_all: 'one for all',
  rest_for_one: 'rest for one'
}

/** How many restarts are left. */
function intensity ({ left, maxRestarts, period }: SupervisorState): TemplateResult {
  const text = `${left} of ${maxRestarts} restarts left within ${duration(period)}`
  return html`<span class="left" title=${text}>${
    bar(left, maxRestarts, text, left <= maxRestarts / 3)} ${left} of ${maxRestarts} left</span>`
}

function line (row: SupervisionRow, context: Surroundings): TemplateResult {
  const { pid, id, kind, restarts, restarted, uptime, supervisor } = row
  const title = row.name ?? id ?? row.label ?? 'supervisor'
  return html`<div class="branch">
    ${pid === undefined
      ? html`<span class="name">${title}</span>`
      : processLink({ pid, name: title }, context.node)}
    ${kind === 'supervisor' ? pill('supervisor') : nothing}
    ${pid === undefined ? pill('not running', 'bad') : nothing}
    ${restarted !== undefined && restarted < fresh
      ? pill(`restarted ${ago(restarted)}`, 'wait')
      : nothing}
    <span class="facts-line">
      ${supervisor === undefined
        ? nothing
        : html`<span>${strategies[supervisor.strategy]}</span>`}
      ${restarts === 0 ? nothing : html`<span>${plural(restarts, 'restart')}</span>`}
      ${supervisor === undefined ? nothing : intensity(supervisor)}
      ${uptime === undefined ? nothing : html`<span>${duration(uptime)}</span>`}
      ${pid === undefined ? nothing : html`<span class="pid">${pid}</span>`}
    </span>
  </div>`
}

function branches (tree: readonly Branch[], context: Surroundings): TemplateResult {
  return html`<ul>${tree.map(({ row, children }) => html`<li>${line(row, context)}${
    children.length > 0 ? branches(children, context) : nothing}</li>`)}</ul>`
}

export const supervision: ViewOf<'supervisors'> = (context) => {
  const { rows, total, matched } = context.answer
  const sub = plural(total, 'supervisor or child', 'supervisors and children')
  return html`${heading('Supervision', sub,
    total > 0 ? filterOf(context, 'Filter the tree') : nothing)}
    <section class="card tree" aria-label="Supervision tree">${rows.length === 0
      ? total === 0
        ? empty('No supervisors', 'A supervisor starts its children again when they fail.')
        : empty('No match', 'No supervisor or child has this text.')
      : html`${branches(treeOf(rows), context)}${foot(rows.length, matched, total, 'rows')}`}
    </section>`
}
