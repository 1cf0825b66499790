// The views that are one table: connections, processes, groups, nodes.
import { html, nothing } from 'lit-html'
import type { ConnectionRow, GroupRow, NodeRow, ProcessRow } from '../../frames.js'
import { foot } from '../foot.js'
import { bytes, clockTime, count, duration, plural } from '../format.js'
import { hashOf } from '../routes.js'
import { table, type Column } from '../table.js'
import { empty, heading, pill, processChip, processLink, titleOf, type Content } from '../ui.js'
import { stateOf, toneOf } from '../words.js'
import { filterOf, sortingOf, sortWith, type Surroundings, type ViewOf } from './context.js'

interface ListOptions<Row> {
  readonly title: string
  readonly noun: string
  readonly columns: ReadonlyArray<Column<Row>>
  readonly byDefault: string
  readonly tools?: Content
  readonly nothing: string
  keyOf (row: Row): string
}

interface ListAnswer<Row> {
  readonly rows: readonly Row[]
  readonly total: number
  readonly matched: number
}

function list<Row> (
  context: Surroundings, { rows, total, matched }: ListAnswer<Row>, options: ListOptions<Row>
) {
  const { title, noun, columns, byDefault, tools = nothing, keyOf } = options
  const { known } = context
  return html`${heading(title, plural(total, noun.replace(/s$/, ''), noun), [
    tools, total > 0 ? filterOf(context, `Filter ${noun}`) : nothing
  ])}
  <section class="card" aria-label=${title}>${rows.length === 0
    ? total === 0
      ? empty(`No ${noun}`, options.nothing)
      : empty('No match', `None of ${plural(total, noun.replace(/s$/, ''), noun)} has this text.`)
    : html`${table({
      caption: `${title}, ${rows.length} rows`,
      columns,
      rows,
      keyOf,
      isNew: (row) => known !== undefined && !known.has(keyOf(row)),
      sorting: sortingOf(context, byDefault),
      sortBy: sortWith(context)
    })}${foot(rows.length, matched, total, noun, context.change)}`}</section>`
}

/** A number that should be 0. */
function alarm (n: number, format: (n: number) => string): Content {
  return n === 0 ? '0' : html`<span class="over">${format(n)}</span>`
}

export const connections: ViewOf<'connections'> = (context) => {
  const { node } = context
  const columns: Array<Column<ConnectionRow>> = [
    {
      title: 'Connection',
      sort: 'name',
      ascends: true,
      cell: ({ pid, name, target, messages }) => html`
        ${processLink({ pid, name: name ?? `to ${titleOf(target)}` }, node)}
        <span class="under"><span class="pid">${pid}</span>
          <span class="narrow">${plural(messages, 'message')}</span></span>`
    },
    { title: 'State', sort: 'state', cell: ({ state }) => pill(stateOf(state), toneOf(state)) },
    {
      title: 'Target',
      sort: 'target',
      ascends: true,
      isWide: true,
      cell: ({ target }) => processLink(target, node, '')
    },
    {
      title: 'Messages',
      sort: 'messages',
      isNumber: true,
      isWide: true,
      cell: ({ messages }) => count(messages)
    },
    {
      title: 'Waiting',
      sort: 'buffered',
      isNumber: true,
      isWide: true,
      cell: ({ buffered }) => alarm(buffered, bytes)
    },
    {
      title: 'Dropped',
      sort: 'dropped',
      isNumber: true,
      isWide: true,
      cell: ({ dropped }) => alarm(dropped, count)
    },
    { title: 'Age', sort: 'started', isNumber: true, cell: ({ uptime }) => duration(uptime) }
  ]
  return list(context, context.answer, {
    title: 'Connections',
    noun: 'connections',
    columns,
    byDefault: '-started',
    nothing: 'A WebSocket that a client opens is a row.',
    keyOf: ({ pid }) => pid
  })
}

export const processes: ViewOf<'processes'> = (context) => {
  const { node } = context
  const columns: Array<Column<ProcessRow>> = [
    {
      title: 'Process',
      sort: 'name',
      ascends: true,
      cell: (row) => html`${processLink(row, node)}
        ${row.kind === 'supervisor' ? pill('supervisor') : nothing}
        <span class="under"><span class="pid">${row.pid}</span>
          ${row.name === undefined || row.name === row.label
            ? nothing
            : html`<span>${row.label}</span>`}
          ${row.moreNames === 0 ? nothing : html`<span>${row.moreNames} more names</span>`}</span>`
    },
    {
      title: 'Status',
      sort: 'status',
      isWide: true,
      cell: ({ status }) => pill(status, toneOf(status))
    },
    {
      title: 'Mailbox',
      sort: 'mailbox',
      isNumber: true,
      cell: ({ mailbox }) =>
        mailbox < 10 ? count(mailbox) : html`<span class="over">${count(mailbox)}</span>`
    },
    { title: 'Age', sort: 'started', isNumber: true, cell: ({ uptime }) => duration(uptime) }
  ]
  return list(context, context.answer, {
    title: 'Processes',
    noun: 'processes',
    columns,
    byDefault: '-started',
    nothing: 'No process is alive.',
    keyOf: ({ pid }) => pid
  })
}

export const groups: ViewOf<'groups'> = (context) => {
  const { node } = context
  const columns: Array<Column<GroupRow>> = [
    {
      title: 'Group',
      sort: 'name',
      ascends: true,
      cell: ({ name }) => html`<span class="name">${name}</span>`
    },
    {
      title: 'Members', sort: 'members', isNumber: true, cell: ({ members }) => count(members)
    },
    {
      title: 'First members',
      isWide: true,
      cell: ({ first, members }) => html`<div class="chips">${
        first.map((member) => processChip(member, node))}${
        members > first.length ? html`<span class="sub">and others</span>` : nothing}</div>`
    }
  ]
  return list(context, context.answer, {
    title: 'Groups',
    noun: 'groups',
    columns,
    byDefault: '-members',
    nothing: 'A process is in a group after self.groups.join.',
    keyOf: ({ name }) => name
  })
}

/** The start of a state, as a time of day, or as a date when it was another day. */
function since (time: number, at: number): string {
  return at - time < 20 * 3600_000 ? clockTime(time) : new Date(time).toLocaleDateString()
}

export const nodes: ViewOf<'nodes'> = (context) => {
  const { answer, hello } = context
  const columns: Array<Column<NodeRow>> = [
    {
      title: 'Node',
      cell: ({ node, self, viewable }) => html`${viewable
        ? html`<a class="name" href=${
          hashOf('overview', '', { node: node === hello?.node ? '' : node })}>${node}</a>`
        : html`<span class="name">${node}</span>`}
        ${self ? pill('shown here', 'live') : nothing}
        ${viewable ? nothing : html`<span class="under">It has no dashboard.</span>`}`
    },
    { title: 'State', cell: ({ state }) => pill(state, toneOf(state)) },
    {
      title: 'Since',
      isNumber: true,
      cell: (row) => html`${duration(Math.max(0, answer.at - row.since))}
        <span class="under wide">${since(row.since, answer.at)}</span>`
    }
  ]
  return html`${heading('Nodes', plural(answer.total, 'node'))}
    <section class="card" aria-label="Nodes">${table({
      caption: 'Nodes', columns, rows: answer.rows, keyOf: ({ node }) => node
    })}</section>`
}
