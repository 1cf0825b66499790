// docs/metrics.md lists the metrics that the code has.
import t from 'tap'
import { metrics, turnMetric } from '../../lib/metrics/table.js'
import { rows, spans } from './tables.js'

t.test('the table of metrics has each name, type and label', async (t) => {
  const listed = (await rows('docs/metrics.md', 'name', 'type', 'labels', 'meaning'))
    .map(([name, type, labels]) => ({ name: spans(name)[0], type, labels: spans(labels) }))
  const written = metrics.map(({ name, type, labels }) => ({ name, type, labels }))
  t.strictSame(listed, [...written, { name: turnMetric.name, type: 'histogram', labels: [] }])
})
