// The frame of all views: the navigation, the state of the link, the last crash.
import { html, nothing, type TemplateResult } from 'lit-html'
import type { StateEvent } from '../../../types/client.js'
import type { EndRow, NodeRow, OverviewAnswer } from '../frames.js'
import { ago, count } from './format.js'
import { hashOf, views, type Route } from './routes.js'
import { logo, titleOf, type Content } from './ui.js'

/** Milliseconds for which a crash is an alarm in the navigation, and a banner in other views. */
const alarmTime = 60_000

const titles: Readonly<Record<Route['view'], string>> = {
  overview: 'Overview',
  connections: 'Connections',
  processes: 'Processes',
  supervision: 'Supervision',
  groups: 'Groups',
  nodes: 'Nodes',
  ends: 'Ends',
  process: 'Process',
  tap: 'Messages'
}

/** The view that the navigation shows as the current one. */
function entryOf ({ route: { view }, isConnection }: Frame): string {
  if (view !== 'process' && view !== 'tap') return view
  return isConnection ? 'connections' : 'processes'
}

export function titleOfRoute ({ view, of }: Route, node: string): string {
  const what = of === '' ? titles[view] : `${titles[view]} ${of}`
  return node === '' ? what : `${what} · ${node}`
}

export interface Frame {
  readonly route: Route
  readonly overview: OverviewAnswer | undefined
  readonly nodes: readonly NodeRow[]
  /** The node of the socket. */
  readonly ownNode: string
  readonly link: StateEvent
  readonly isPaused: boolean
  /** Whether the process of the route is a connection. */
  readonly isConnection: boolean
  /** The words of the live region. */
  readonly said: string
  readonly view: Content
  pause (): void
}

/** The crashes of the last minute. */
function recentOf ({ overview }: Frame): readonly EndRow[] {
  return overview?.recent.filter((end) => end.ago < alarmTime) ?? []
}

function entry (frame: Frame, view: typeof views[number]): TemplateResult {
  const { route, overview } = frame
  const crashes = recentOf(frame).length
  const numbers: Partial<Record<typeof view, Content>> = overview === undefined
    ? {}
    : {
        connections: count(overview.stats.connections.open),
        processes: count(overview.stats.aliveBy.process),
        supervision: count(overview.stats.aliveBy.supervisor)
      }
  const number = numbers[view]
  const { node = '' } = route.query
  return html`<a href=${hashOf(view, '', { node })}
    aria-current=${entryOf(frame) === view ? 'page' : nothing}>${titles[view]}${
    view === 'ends' && crashes > 0
      ? html`<small class="alarm">${crashes}<span class="unseen"> crashes in the last minute</span>
        </small>`
      : number === undefined ? nothing : html`<small>${number}</small>`}</a>`
}

function linkWords ({ link, isPaused }: Frame): [string, string] {
  if (isPaused) return ['paused', 'Paused']
  switch (link.state) {
    case 'open': return ['open', 'Live']
    case 'connecting': return ['connecting', 'Connecting']
    case 'away': return ['away', 'Lost, coming back']
    case 'closed': return ['closed', 'Closed']
  }
}

function side (frame: Frame): TemplateResult {
  const { isPaused, pause, nodes, route, ownNode } = frame
  const [state, words] = linkWords(frame)
  const { node = '' } = route.query
  const shown = node === '' ? ownNode : node
  const choose = (event: Event) => {
    const { value } = event.target as HTMLSelectElement
    location.hash = hashOf(route.view, '', { node: value === ownNode ? '' : value })
  }
  return html`<header class="side">
    <div class="brand">${logo}<div>Processes${nodes.length > 1
      ? html`<select class="node" aria-label="Node" @change=${choose}>${nodes.map((each) =>
        html`<option value=${each.node} ?selected=${each.node === shown}
          ?disabled=${!each.viewable}>${each.node}</option>`)}</select>`
      : html`<small>${shown === '' ? nothing : `node ${shown}`}</small>`}</div></div>
    <nav class="views" aria-label="Views">${views.map((view) => entry(frame, view))}</nav>
    <div class="link-state" data-link=${state}>
      <p><span class="dot" aria-hidden="true"></span><span>${words}</span></p>
      <button type="button" class="quiet" aria-pressed=${String(isPaused)} @click=${pause}
        >Pause</button>
    </div>
  </header>`
}

function banners (frame: Frame): Content {
  const { link, route } = frame
  const { node = '' } = route.query
  const [crash] = recentOf(frame)
  const isAway = link.state === 'away' || link.state === 'closed'
  return html`
    ${!isAway
      ? nothing
      : html`<p class="banner">${link.why === 'handshake'
      ? html`<span>The server does not let this page in. Perhaps your login has ended.</span>
        <button type="button" class="quiet" @click=${() => { location.reload() }}>Reload</button>`
      : html`<span>The connection to the server is lost. These are the last numbers; the page comes
        back by itself.</span>`}</p>`}
    ${crash === undefined || ['overview', 'ends'].includes(route.view) || route.of === crash.pid
      ? nothing
      : html`<p class="banner bad"><span>${titleOf(crash)} failed ${ago(crash.ago)}${
          crash.restartedAs === undefined ? '' : ', and was restarted'}</span>
        <a href=${hashOf('process', crash.pid, { node })}>Why</a></p>`}`
}

export function frame (options: Frame): TemplateResult {
  const skip = (event: Event) => {
    event.preventDefault() // the hash is the view
    document.querySelector('main')?.focus()
  }
  return html`<a class="skip" href="#main" @click=${skip}>Skip to the view</a>
    <div class="frame">${side(options)}
      <main id="main" tabindex="-1">${banners(options)}${options.view}</main>
    </div>
    <p class="unseen" role="status" aria-live="polite">${options.said}</p>`
}
