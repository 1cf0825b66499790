// docs/metrics.md lists the metrics that the code has, and the alert rules.
import t from 'tap'
import { closeCodes } from '../../lib/connection/close-codes.js'
import { metrics, turnMetric, usualCloses } from '../../lib/metrics/table.js'
import { page, rows, spans } from './tables.js'

t.test('the table of metrics has each name, type and label', async (t) => {
  const listed = (await rows('docs/metrics.md', 'name', 'type', 'labels', 'meaning'))
    .map(([name, type, labels]) => ({ name: spans(name)[0], type, labels: spans(labels) }))
  const written = metrics.map(({ name, type, labels }) => ({ name, type, labels }))
  t.strictSame(listed, [...written, { name: turnMetric.name, type: 'histogram', labels: [] }])
})

t.test('the table of alerts has each alert rule', async (t) => {
  const listed = (await rows('docs/metrics.md', 'alert', 'when', 'first step'))
    .map(([name]) => spans(name)[0])
  const rules = (await page('docs/prometheus/alerts.yml')).matchAll(/- alert: (\w+)/g)
  t.strictSame(listed, Array.from(rules, ([, name]) => name))
})

t.test('the usual closes are those of the table of close codes', async (t) => {
  const fixed = Object.values(closeCodes)
    .filter((row) => typeof row.code !== 'symbol')
    .map(({ cause, code }) => `${cause} ${String(code)}`)
  const usual = usualCloses.map(({ cause, code }) => `${cause} ${code}`)
  t.strictSame([...new Set(fixed)].filter((one) => !usual.includes(one)), [])
  const causes = new Set<string>(Object.values(closeCodes).map(({ cause }) => cause))
  t.strictSame(new Set(usualCloses.map(({ cause }) => cause)), causes)
})
