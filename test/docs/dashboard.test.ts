// docs/dashboard.md lists the options, actions and topics that the code has.
import t from 'tap'
import { actions, maxLimit, maxWatches } from '../../lib/dashboard/frames.js'
import { optionTable } from '../../lib/dashboard/options.js'
import { maxVisits } from '../../lib/dashboard/sampler/slices.js'
import { maxRowBytes } from '../../lib/dashboard/views/rows.js'
import { prose, rows, spans } from './tables.js'

t.test('the page of the dashboard has each option, action and limit', async (t) => {
  const options = await rows('docs/dashboard.md', 'option', 'default', 'meaning')
  t.strictSame(
    options.flatMap(([names]) => spans(names)).sort(),
    ['prefix', ...Object.keys(optionTable)].sort()
  )
  const listed = await rows('docs/dashboard.md', 'action', 'does')
  t.strictSame(listed.map(([name]) => spans(name)[0]), [...actions])
  const topics = await rows('docs/dashboard.md', 'topic', 'data')
  t.strictSame(topics.map(([name]) => spans(name)[0]), ['hello', 'answer', 'acted', 'problem'])
  const text = await prose('docs/dashboard.md')
  for (const figure of [
    `at most ${maxVisits.toString().replace('000', ' 000')} processes or connections in one turn`,
    `at most ${maxWatches} watches`, `at most ${maxLimit} rows`, `${maxRowBytes / 1024} KiB`
  ]) t.ok(text.includes(figure), figure)
})
