import { html, nothing, type TemplateResult } from 'lit-html'
import type { EndRow, OverviewAnswer, Point } from '../../frames.js'
import { Chart, type Series } from '../charts.js'
import { count, duration, milliseconds, units, type Unit } from '../format.js'
import type { History } from '../history.js'
import { bar, heading, tick } from '../ui.js'
import { linkTo, type Context } from './context.js'
import { endList } from './end-list.js'

const line = (name: string, value: (point: Point) => number): Series => ({ name, value })

/** The charts of a page. They live as long as the page, in all views. */
export function createCharts (changed: () => void): Chart[] {
  const chart = (title: string, unit: Unit, ...series: Series[]) =>
    new Chart(title, series, unit, changed)
  return [
    chart('Messages per second', units.rate,
      line('in', ({ messagesIn }) => messagesIn),
      line('out', ({ messagesOut }) => messagesOut),
      line('in all', ({ sent }) => sent)),
    chart('Connections', units.count,
      line('open', ({ open }) => open),
      line('away', ({ suspended }) => suspended),
      line('paused', ({ paused }) => paused),
      line('parked', ({ parked }) => parked)),
    chart('Trouble per second', units.rate,
      line('refused', ({ refused }) => refused),
      line('upgrades', ({ refusedUpgrades }) => refusedUpgrades),
      line('dead letters', ({ deadLetters }) => deadLetters)),
    chart('Event loop delay', units.milliseconds,
      line('mean', ({ delay }) => delay),
      line('longest', ({ maxDelay }) => maxDelay)),
    chart('Busy with turns', units.percent,
      line('of the time', ({ busy }) => busy)),
    chart('Memory', units.bytes,
      line('resident', ({ rss }) => rss))
  ]
}

/** The states of all connections, in a bar for the one limit that most servers set. */
function connections ({ stats }: OverviewAnswer): TemplateResult {
  const { open, limits } = stats.connections
  if (!Number.isFinite(limits.open) || limits.open === null) return html`${count(open)}`
  const share = open / limits.open
  return html`${count(open)} <small>of ${count(limits.open)}</small>
    ${bar(open, limits.open, `${Math.round(share * 100)} % of the limit`, share > 0.9)}`
}

function facts (answer: OverviewAnswer): TemplateResult {
  const { stats, keyed } = answer
  const { aliveBy, restarts, giveUps, longestTurn, upgrades } = stats
  const refused = Object.values(upgrades.refused).reduce((sum, n) => sum + n, 0)
  const rows: Array<[string, unknown]> = [
    ['Connections', connections(answer)],
    ['Processes', count(aliveBy.process)],
    ['Supervisors', count(aliveBy.supervisor)],
    ['Child restarts', html`${count(restarts)}${
      giveUps === 0 ? nothing : html` <small class="over">${count(giveUps)} gave up</small>`}`],
    ...keyed.started === 0
      ? []
      : [['With a key', html`${count(keyed.alive)}${keyed.crashed === 0
          ? nothing
          : html` <small class="over">${count(keyed.crashed)} crashed</small>`}`]] as typeof rows,
    ['Refused upgrades', count(refused)],
    ['Longest turn', milliseconds(longestTurn)],
    ['Running for', duration(answer.uptime)]
  ]
  return html`<dl class="facts card">${rows.map(([name, value]) =>
    html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}

export function overview (
  context: Context<'overview'>, charts: readonly Chart[], history: History,
  isFresh: (end: EndRow) => boolean
): TemplateResult {
  const { answer } = context
  const { health, recent } = answer
  return html`
    ${heading('Overview', html`Node ${answer.node}, the last 5 minutes`)}
    ${health.ready
      ? nothing
      : html`<p class="banner">This node takes no new clients: ${health.problem}.</p>`}
    <section class="card" aria-labelledby="recent">
      ${recent.length === 0
        ? html`<h2 id="recent" class="unseen">Recent crashes</h2>
          <p class="calm">${tick}<span>No process of this node has crashed.</span></p>`
        : html`<header class="title"><h2 id="recent">Recent crashes and restarts</h2>
            <a class="sub" href=${linkTo(context, 'ends')}>All ends</a></header>
          ${endList(recent.slice(0, 3), context.node, { isFresh, isShort: true })}`}
    </section>
    ${facts(answer)}
    <section class="charts" aria-label="Charts">
      ${charts.map((chart) => chart.render())}
    </section>
    ${history.last === undefined ? html`<p class="sub">The charts begin now.</p>` : nothing}`
}
