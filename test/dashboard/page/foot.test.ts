// The line below a list, as a template: it needs no browser.
import t from 'tap'
import { foot } from '../../../lib/dashboard/page/foot.js'

// The template library marks its version, which no other test expects.
t.teardown(() => { delete (globalThis as { litHtmlVersions?: unknown }).litHtmlVersions })

type Listener = () => void

/** The text of a template and its listeners. */
function read (value: unknown, listeners: Listener[] = []) {
  if (typeof value === 'function') listeners.push(value as Listener)
  if (typeof value === 'string' || typeof value === 'number') {
    return { text: String(value), listeners }
  }
  const { strings = [], values = [] } =
    Object(value) as { strings?: readonly string[], values?: readonly unknown[] }
  const text: string = strings.map((part, n) => part + read(values[n], listeners).text).join('')
  return { text, listeners }
}

t.test('asks for more rows only if the server would send them', async (t) => {
  const asked: unknown[] = []
  const show = (shown: number, matching: number, all: number) =>
    read(foot(shown, matching, all, 'processes', (query) => { asked.push(query) }))
  const { text, listeners } = show(50, 501, 501)
  t.match(text, /The first 50 of 501 processes\. [^]*Show up to 500/)
  for (const click of listeners) click()
  t.strictSame(asked, [{ limit: '500' }])
  t.match(show(50, 51, 501).text, /The first 50 of 51 that match, of 501 processes\. [^]*Show up to/)
  for (const [shown, matching, why] of [
    [500, 501, 'the server never sends more'], [50, 50, 'all that match are here']
  ] as const) t.notMatch(show(shown, matching, 501).text, /Show up to/, why)
  t.match(show(50, 50, 501).text, /50 of 501 processes match\./)
  t.notMatch(read(foot(50, 51, 51, 'ends')).text, /Show up to/, 'nobody can change the limit')
})

t.test('shows nothing below a list that has all rows', async (t) => {
  t.equal(read(foot(50, 50, 50, 'processes', () => {})).text, '')
})
