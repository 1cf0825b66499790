// The dashboard and the alert rules by themselves; prometheus.test.ts runs them.
import { readFile } from 'node:fs/promises'
import t from 'tap'
import { metrics, turnMetric } from '../../lib/metrics/table.js'
import { dashboardQueries, shipped } from './prometheus.js'

interface Panel {
  readonly id: number
  readonly title: string
  readonly description?: string
  readonly type: string
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>
  readonly targets?: ReadonlyArray<{ readonly refId: string }>
}

const { panels } = JSON.parse(await readFile(shipped('dashboard.json'), 'utf8')) as {
  panels: readonly Panel[]
}
const parts = ['bucket', 'sum', 'count'].map((part) => `${turnMetric.name}_${part}`)
const names = new Set([...metrics.map(({ name }) => name), ...parts].map((name) => `ws_relay_${name}`))

/** The names of metrics in a text. */
function namesIn (text: string): string[] {
  return Array.from(text.matchAll(/ws_relay_\w+/g), ([name]) => name)
}

t.test('the dashboard and the alert rules name metrics that exist', async (t) => {
  for (const name of namesIn(await readFile(shipped('alerts.yml'), 'utf8'))) t.ok(names.has(name), name)
  const shown = new Set((await dashboardQueries()).flatMap(({ expr }) => namesIn(expr)))
  for (const name of shown) t.ok(names.has(name), name)
  const missing = [...names].filter((name) => !shown.has(name))
  t.strictSame(missing.sort(), [
    'ws_relay_connections_limited_total', 'ws_relay_connections_transferred_total',
    'ws_relay_invalid_messages_total',
    'ws_relay_spawned_total',
    'ws_relay_turn_seconds_count', 'ws_relay_unknown_controls_total',
    'ws_relay_upgrades_abandoned_total'
  ], 'what the dashboard leaves out')
})

t.test('the panels have ids of their own, texts, and do not overlap', async (t) => {
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  const taken = new Set<string>()
  for (const { title, description, type, gridPos: { x, y, w, h }, targets = [] } of panels) {
    if (type !== 'row') t.ok(description !== undefined && targets.length > 0, title)
    t.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title)
    t.ok(x + w <= 24, title)
    const cells = Array.from({ length: w * h }, (_, i) => `${x + i % w} ${y + Math.floor(i / w)}`)
    t.strictSame(cells.filter((cell) => taken.has(cell)), [], title)
    for (const cell of cells) taken.add(cell)
  }
})
