// The page of the dashboard: what it shows depends on the hash and on the answers of the server.
import { html, nothing, render, type TemplateResult } from 'lit-html'
import { maxLimit, type Answer, type EndRow, type OverviewAnswer } from '../frames.js'
import { ActionDialog } from './actions.js'
import { frame, titleOfRoute } from './frame.js'
import { History } from './history.js'
import { hashOf, parseRoute, type Route, type ViewName } from './routes.js'
import { Session, type Watch, type Wish } from './session.js'
import { empty, type Content } from './ui.js'
import type { Row } from './views/context.js'
import { ends } from './views/ends.js'
import { connections, groups, nodes, processes } from './views/lists.js'
import { createCharts, overview } from './views/overview.js'
import { processView } from './views/process.js'
import { supervision } from './views/supervision.js'
import { Tap, tapView } from './views/tap.js'

const rows = 100
/** The list of nodes changes seldom. */
const nodesEvery = 5000
/** Milliseconds after a key in the filter before the server is asked. */
const typingTime = 250
/** Milliseconds for which a crash is shown as new. */
const freshTime = 5000

let route = parseRoute(location.hash)
/** The words of the live region. */
let said = ''
/** The crashes that were announced, with the time of this page when it saw them. */
const seen = new Map<string, number>()
/** The rows of the answer before the newest one. */
let known: ReadonlySet<string> | undefined
let shown: ReadonlySet<string> | undefined
let typing: ReturnType<typeof setTimeout> | undefined
let isDrawing = false
/** Until the page is connected again. */
let isLost = false
/** A user has paused the page. A hidden page is paused by itself. */
let isPausedByUser = false

const history = new History()
const tap = new Tap()
const charts = createCharts(draw)
const session = new Session(new URL('socket', import.meta.url).href, { changed, answered })
const dialog = new ActionDialog((order) => session.act(order), say)

function node (): string | undefined {
  return route.query.node || undefined
}

/** The request for the view of a route. */
function wishOf ({ view, of, query }: Route): Wish {
  const { sort, filter, cause } = query
  const common = { node: node() }
  const limit = Number(query.limit) || rows
  switch (view) {
    case 'overview': return { view, ...common }
    case 'process':
    case 'tap': return { view: 'process', pid: of, ...common, every: 2000 }
    case 'supervision': return { view: 'supervisors', ...common, limit: maxLimit, filter }
    case 'ends': return {
      view, ...common, limit, filter, cause: cause as EndRow['cause'] | undefined
    }
    case 'nodes': return { view, ...common, limit }
    default: return { view, ...common, limit, sort, filter }
  }
}

/** Tells the session what the route needs. */
function ask (): void {
  const overviewWish: Wish = { view: 'overview', node: node() }
  session.want('overview', overviewWish)
  session.want('nodes', { view: 'nodes', limit: 100, every: nodesEvery })
  session.want('view', route.view === 'overview' ? undefined : wishOf(route))
  session.want('trace', route.view === 'tap'
    ? { view: 'trace', pid: route.of, node: node() }
    : undefined)
  if (route.view === 'tap') tap.begin(route.of)
}

function keysOf (list: readonly Row[]): ReadonlySet<string> {
  return new Set(list.map((row) => 'pid' in row && row.pid !== undefined ? row.pid : ''))
}

function answered (name: string, answer: Answer): void {
  if (name === 'overview' && answer.view === 'overview') hear(answer)
  if (name === 'trace' && answer.view === 'trace') tap.add(answer)
  if (name === 'view' && 'rows' in answer) {
    known = shown
    shown = keysOf(answer.rows)
  }
}

/** Takes the points, and says what has crashed since the answer before. */
function hear (answer: OverviewAnswer): void {
  const isFirst = history.node !== answer.node
  history.add(answer.node, answer.points)
  for (const chart of charts) chart.update(history)
  if (isFirst) seen.clear()
  const news = answer.recent.filter(({ pid }) => !seen.has(pid))
  for (const { pid } of news) seen.set(pid, isFirst ? -Infinity : performance.now())
  for (const pid of seen.keys()) {
    if (!answer.recent.some((end) => end.pid === pid)) seen.delete(pid)
  }
  if (isFirst || news.length === 0) return
  said = news.map(({ text }) => text.replaceAll('`', '')).join('. ')
}

/** Says that the link is lost, and that it is back. */
function changed (): void {
  const { state } = session.state
  if (state === 'away' && !isLost) said = 'The connection to the server is lost'
  if (state === 'open' && isLost) said = 'The page is connected again'
  if (state !== 'connecting') isLost = state === 'away'
  draw()
}

function isFresh ({ pid }: EndRow): boolean {
  return performance.now() - (seen.get(pid) ?? -Infinity) < freshTime
}

function say (text: string): void {
  said = text
  draw()
}

/** Changes the query, in the same entry of the history. A filter waits until nobody types. */
function change (query: Readonly<Record<string, string>>): void {
  const next = { ...route, query: { ...route.query, ...query } }
  route = next
  clearTimeout(typing)
  typing = setTimeout(() => {
    window.history.replaceState(null, '', hashOf(next.view, next.of, next.query))
    known = shown = undefined
    ask()
    draw()
  }, 'filter' in query ? typingTime : 0)
  draw()
}

const templates: Readonly<Record<Exclude<ViewName, 'overview' | 'tap'>, unknown>> = {
  connections, processes, supervision, groups, nodes, ends, process: processView
}

function content (): Content {
  const watch = session.watch(route.view === 'overview' ? 'overview' : 'view')
  const trouble = watch?.problem ?? session.watch('trace')?.problem ?? session.problem
  if (trouble !== undefined) return problemCard(trouble)
  if (watch?.answer === undefined) {
    return html`<h1 class="unseen">Loading</h1><div class="card" aria-busy="true">${
      empty('Waiting for the server', session.isPaused ? 'The page is paused.' : '')}</div>`
  }
  return html`<div class="stack ${isLate(watch) ? 'waiting' : ''}">${viewOf(watch.answer)}</div>`
}

/** Whether the answer is an old one, because the sort order or the filter has just changed. */
function isLate (watch: Watch): boolean {
  return watch.isOld && session.state.state === 'open'
}

function problemCard ({ code, message }: { code: string, message: string }): TemplateResult {
  const again = () => {
    session.problem = undefined
    for (const name of ['overview', 'view', 'trace']) session.retry(name)
    draw()
  }
  return html`<h1>This view cannot be shown</h1>
    <section class="card" role="alert"><div class="empty">
      <strong>${message}</strong><code>${code}</code>
      <button type="button" @click=${again}>Try again</button></div></section>`
}

function viewOf (answer: Answer): TemplateResult {
  const surroundings = {
    route,
    node: node() ?? '',
    hello: session.hello,
    known,
    change,
    ask: (...args: Parameters<ActionDialog['open']>) => { dialog.open(...args) }
  }
  if (answer.view === 'overview') {
    return overview({ ...surroundings, answer }, charts, history, isFresh)
  }
  if (route.view === 'tap' && answer.view === 'process') {
    return tapView({ ...surroundings, answer }, tap, () => {
      tap.isHeld = !tap.isHeld
      draw()
    })
  }
  const template = templates[route.view as keyof typeof templates]
  return (template as (context: object) => TemplateResult)({ ...surroundings, answer })
}

function isConnection (answer: Answer | undefined): boolean {
  if (answer?.view !== 'process') return false
  const { info, explanation } = answer
  return (info ?? explanation?.chain[0])?.kind === 'ws'
}

/** Draws once for all changes of this moment. */
function draw (): void {
  if (isDrawing) return
  isDrawing = true
  queueMicrotask(() => {
    isDrawing = false
    const overviewAnswer = session.watch('overview')?.answer
    const nodesAnswer = session.watch('nodes')?.answer
    document.title = titleOfRoute(route, node() ?? session.hello?.node ?? '')
    render(html`${frame({
      route,
      overview: overviewAnswer?.view === 'overview' ? overviewAnswer : undefined,
      nodes: nodesAnswer?.view === 'nodes' ? nodesAnswer.rows : [],
      ownNode: session.hello?.node ?? '',
      link: session.state,
      isPaused: session.isPaused,
      isConnection: isConnection(session.watch('view')?.answer),
      said,
      view: content(),
      pause: () => { pause(!isPausedByUser) }
    })}${dialog.element}${nothing}`, document.body)
    document.body.toggleAttribute('data-ready', session.hello !== undefined)
  })
}

function pause (byUser: boolean): void {
  isPausedByUser = byUser
  if (byUser || document.hidden) session.pause()
  else session.resume()
  draw()
}

/** On a phone, the navigation scrolls sideways: its current entry comes into sight. */
function showEntry (): void {
  queueMicrotask(() => {
    const entry = document.querySelector('.views [aria-current]')
    entry?.scrollIntoView({ block: 'nearest', inline: 'center' })
  })
}

addEventListener('hashchange', () => {
  const before = route
  route = parseRoute(location.hash)
  if (route.view !== before.view || route.of !== before.of) {
    known = shown = undefined
    scrollTo(0, 0)
    document.querySelector('main')?.focus({ preventScroll: true })
  }
  ask()
  draw()
  showEntry()
})

document.addEventListener('visibilitychange', () => { pause(isPausedByUser) })

ask()
draw()
