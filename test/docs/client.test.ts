// docs/client.md states the options, the defaults and the close codes of the client.
import t from 'tap'
import { delayOf, triesAgain } from '../../lib/client/closes.js'
import { transitions } from '../../lib/client/transitions.js'
import { page, prose, rows, spans } from './tables.js'

/** The options of `connect` with their defaults, as their docstrings have them. */
async function optionsOfTypes (): Promise<Map<string, string | undefined>> {
  const source = (await page('types/client.ts')).split('interface ConnectOptions {')[1].split('\n}')[0]
  const options = new Map<string, string | undefined>()
  for (const [, comment, name] of source.matchAll(/\/\*\*(.*?)\*\/\s+readonly (\w+)\?/gs)) {
    options.set(name, /@defaultValue ([^\n]*)/.exec(comment)?.[1])
  }
  return options
}

t.test('lists each option with the default of its docstring', async (t) => {
  const options = await optionsOfTypes()
  const table = await rows('docs/client.md', 'option of `connect`', 'by default', 'meaning')
  t.strictSame(table.map(([name]) => spans(name)[0]).sort(), [...options.keys()].sort())
  for (const [name, byDefault] of table) {
    const documented = options.get(spans(name)[0])!
    if (spans(byDefault).length > 0) t.equal(spans(documented)[0], spans(byDefault)[0], name)
    else t.match(documented, byDefault, name)
  }
})

t.test('tells for each close code whether the client tries again', async (t) => {
  const table = await rows('docs/client.md', 'the socket ended with', 'the client')
  const seen = new Set<number>()
  for (const [codes, then] of table) {
    const reason = spans(codes)[0] ?? ''
    for (const code of codes.match(/\d{4}/g)!.map(Number)) {
      seen.add(code)
      t.equal(triesAgain({ code, reason }), then !== 'is closed', `${code} ${reason}`)
      const seconds = Number(/at least ([\d.]+) s/.exec(then)?.[1] ?? 0)
      if (then === 'is closed') continue
      t.equal(delayOf({ code, reason }, 1, 1, 1, 0), Math.max(1, seconds * 1000), `${code}`)
    }
  }
  for (let code = 1000; code < 1016; code++) t.ok(seen.has(code) || code === 1004, `${code}`)
})

t.test('tells each state that an application sees', async (t) => {
  const table = await rows('docs/client.md', '`state`', 'meaning', 'more fields')
  const states = Object.keys(transitions).filter((state) => state !== 'moving')
  t.strictSame(table.map(([state]) => spans(state)[0]).sort(), states.sort())
  t.match(await prose('docs/client.md'), 'at most 4 KB after gzip')
})
