// One process or connection: its facts, or why it has ended.
import { html, nothing, type TemplateResult } from 'lit-html'
import type {
  EndDetails, EndSummary, ProcessAnswer, ProcessDetails, Reference
} from '../../frames.js'
import { bytes, count, duration, plural } from '../format.js'
import type { Order } from '../session.js'
import {
  causePill, empty, heading, pill, processChip, processLink, titleOf, type Content
} from '../ui.js'
import { causeOf, stateOf, toneOf } from '../words.js'
import { linkTo, type Surroundings, type ViewOf } from './context.js'
import { after, why } from './end-list.js'

/** Text with parts in backticks: these are shown as code. */
function withCode (text: string): Content[] {
  return text.split('`').map((part, index) =>
    index % 2 === 1 ? html`<code>${part}</code>` : part)
}

const actionNames: Readonly<Record<Order['action'], string>> = {
  close: 'Close',
  transfer: 'Transfer',
  send: 'Send a message',
  cancel: 'Ask to stop',
  exit: 'End now'
}

/** The actions that the server allows and that make sense for the kind. */
function actionsOf ({ kind }: ProcessDetails, context: Surroundings): Array<Order['action']> {
  const forKind: Array<Order['action']> = kind === 'ws'
    ? ['send', 'transfer', 'close']
    : ['send', 'cancel', 'exit']
  return forKind.filter((action) => context.hello?.actions.includes(action))
}

/** The best words for it. */
export function nameOf ({ pid, label, names }: ProcessDetails): string {
  return titleOf({ pid, label, name: names[0] })
}

/** The heading of a view of it: a connection has a target, and seldom a name. */
function headingOf (details: ProcessDetails): string {
  const name = nameOf(details)
  const { connection, names } = details
  return connection === undefined || names.length > 0
    ? name
    : `${name} to ${titleOf(connection.target)}`
}

function path (details: ProcessDetails, context: Surroundings): Content {
  if (details.path.length === 0) return nothing
  return html`<nav aria-label="Supervisors"><ol class="crumbs">${details.path.map((step) =>
    html`<li>${processLink(step, context.node, '')}</li>`)}<li>${
    details.path.at(-1)?.child ?? nameOf(details)}</li></ol></nav>`
}

function factsOf (details: ProcessDetails, context: Surroundings): TemplateResult {
  const { kind, status, mailbox, uptime, connection, path } = details
  const supervisor = path.at(-1)
  const rows: Array<[string, Content]> = [
    ['Kind', kind === 'ws' ? 'connection' : kind],
    ...connection === undefined
      ? [
          ['Status', status],
          ['Mailbox', count(mailbox)],
          ...supervisor === undefined ? [] : [['Restarts', count(supervisor.restarts)]]
        ] as Array<[string, Content]>
      : [
          ['State', stateOf(connection.state)],
          ['Target', processLink(connection.target, context.node, '')],
          ['Messages', count(connection.messages)],
          ['Waiting', bytes(connection.buffered)],
          ['Dropped', count(connection.dropped)]
        ] as Array<[string, Content]>,
    ['Age', duration(uptime)]
  ]
  return html`<dl class="facts card">${rows.map(([name, value]) =>
    html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}

function lists (details: ProcessDetails, context: Surroundings): TemplateResult {
  const { names, groups, links, monitors, more } = details
  const references = (list: readonly Reference[]) =>
    list.map((each) => processChip(each, context.node))
  const texts = (list: readonly string[]) =>
    list.map((each) => html`<span class="chip">${each}</span>`)
  const rows: Array<[string, Content[], number]> = [
    ['Names', texts(names), more.names],
    ['Groups', texts(groups), more.groups],
    ['Linked with', references(links), more.links],
    ['Monitors', references(monitors), more.monitors]
  ]
  return html`<section class="card" aria-label="Relations"><dl class="lists">${rows.map(
    ([title, chips, others]) => html`<dt>${title}</dt><dd>${chips.length === 0
      ? html`<span class="none">none</span>`
      : html`<div class="chips">${chips}${others === 0
        ? nothing
        : html`<span class="sub">and ${others} more</span>`}</div>`}</dd>`)}</dl></section>`
}

function step (end: EndSummary, node: string): TemplateResult {
  return html`<li class=${causeOf(end.cause).tone}>
    <p class="head">${processLink(end, node)} ${causePill(end.cause)}</p>
    <p class="why">${why(end)}</p>
    <p class="under">${after(end, node)}<span class="pid">${end.pid}</span></p>
  </li>`
}

function explained (explanation: EndDetails, context: Surroundings): TemplateResult {
  const { state, text, chain, together, restartedAs } = explanation
  return html`<section class="card" aria-labelledby="why">
    <h2 id="why">${state === 'ended' ? 'Why it has ended' : 'What is known'}</h2>
    <p class="sentence">${withCode(text)}</p>
    ${restartedAs === undefined
      ? nothing
      : html`<p class="pad"><a class="button" href=${linkTo(context, 'process', restartedAs)}
        >Go to its successor</a></p>`}
    ${chain.length === 0
      ? nothing
      : html`<ol class="chain">${chain.map((end) => step(end, context.node))}</ol>`}
    ${together === 0
      ? nothing
      : html`<p class="foot">${plural(together, 'other')} ended with it.</p>`}
  </section>`
}

function tools (details: ProcessDetails, context: Surroundings): Content {
  const title = nameOf(details)
  return html`<a class="button" href=${linkTo(context, 'tap', details.pid)}>Watch messages</a>
    ${actionsOf(details, context).map((action) => html`<button type="button"
      class=${['close', 'cancel', 'exit'].includes(action) ? 'danger' : ''}
      @click=${() => { context.ask(action, details.pid, title) }}
      >${actionNames[action]}…</button>`)}`
}

function titleOfEnd ({ pid, explanation }: ProcessAnswer): string {
  const first = explanation?.chain[0]
  if (first === undefined) return pid
  return titleOf(first)
}

export const processView: ViewOf<'process'> = (context) => {
  const { answer } = context
  const { info, explanation, pid } = answer
  if (info !== undefined) {
    const { status, connection } = info
    const state = connection?.state ?? status
    return html`${path(info, context)}
      ${heading(html`${headingOf(info)} ${pill(stateOf(state), toneOf(state))}`,
        html`<span class="pid">${info.pid}</span>${
          info.kind === 'ws' || info.label === nameOf(info) ? nothing : ` ${info.label}`}`,
        tools(info, context))}
      ${factsOf(info, context)}${lists(info, context)}`
  }
  const state = explanation === undefined ? pill('unknown') : pill('ended', 'bad')
  return html`${heading(html`${titleOfEnd(answer)} ${state}`,
    html`<span class="pid">${pid}</span>`)}
    ${explanation === undefined
      ? html`<section class="card">${
        empty('Unknown', 'This node has not made this PID.')}</section>`
      : explained(explanation, context)}`
}
