// Tables and figures of the docs agree with the code.
import t from 'tap'
import { timings } from '../../lib/cluster/timing.js'
import { Window } from '../../lib/cluster/link/window.js'
import { errorCodes } from '../../lib/errors.js'
import { normalizeOptions, overrideSettings } from '../../lib/upgrade/options.js'
import { toMilliseconds } from '../../lib/shared/duration.js'
import { processesDefaults } from '../../lib/process/options.js'
import { planChild, planSupervisor } from '../../lib/process/supervisor/spec.js'
import { defaultFragments } from '../../lib/connection/settings.js'
import { prose, rows, spans } from './tables.js'

/** The names that an error message lists behind `only`. */
function names (refuse: () => unknown): string[] {
  try {
    refuse()
  } catch (err) {
    return /only ([^.]*)/.exec((err as Error).message)![1].split(', ')
  }
  throw new Error('nothing was refused')
}

/** The value of a default as docs/options.md writes it: `'10s'`, 10 000, 1 MiB. */
function value (text: string): unknown {
  const [code] = spans(text)
  if (code !== undefined) {
    const quoted = /^'(.*)'$/.exec(code)
    return quoted === null ? JSON.parse(code) : quoted[1]
  }
  const [, figure, unit] = /^([\d ]+?)(?: (KiB|MiB))?$/.exec(text) ?? []
  if (figure === undefined) return text
  return Number(figure.replaceAll(' ', '')) * { KiB: 1024, MiB: 1024 ** 2 }[unit ?? '']! || Number(figure.replaceAll(' ', ''))
}

t.test('the table of options has each option, with its default and its scope', async (t) => {
  const table = await rows('docs/options.md', 'option', 'default', 'scope')
  const all = names(() => normalizeOptions({ noSuchOption: 1 }))
  const ofRoute = names(() => overrideSettings(normalizeOptions({}).route, { noSuchOption: 1 }))
  t.strictSame(table.map(([option]) => spans(option)[0]).sort(), [...new Set([...all, ...ofRoute])].sort())

  const { route, server } = normalizeOptions({})
  const defaults: Record<string, unknown> = { ...route, ...server, maxFragments: defaultFragments(route.maxPayload) }
  // What stands in words.
  const words: Record<string, unknown> = { 'same-origin only': undefined, none: undefined }
  for (const [cell, documented, scope] of table) {
    const option = spans(cell)[0]
    const owner = ofRoute.includes(option) ? 'registration' : 'server'
    t.equal(scope, all.includes(option) ? owner : 'route', `${option}: scope`)
    const shown = value(documented)
    let expected = defaults[option]
    if (expected === Infinity) expected = undefined
    if (typeof shown === 'string' && shown in words) t.equal(words[shown], expected, option)
    else if (typeof shown === 'string' && typeof expected === 'number') t.equal(toMilliseconds(shown as '1s'), expected, option)
    else t.strictSame(shown, expected, option)
  }
})

t.test('the table of errors has each code, with its status and the figures of its message', async (t) => {
  const table = new Map((await rows('docs/errors.md', 'code', 'status', 'cause', 'fix')).map((row) => [spans(row[0])[0], row]))
  t.strictSame([...table.keys()].sort(), Object.keys(errorCodes).sort())
  for (const [code, CodedError] of Object.entries(errorCodes)) {
    const [, status, ...text] = table.get(code)!
    const { statusCode, message } = new CodedError('a', 'b', 'c')
    t.ok(status.split(', ').includes(String(statusCode)), `${code}: ${statusCode}`)
    for (const [figure] of message.matchAll(/\d+ to \d+/g)) t.match(text.join(' '), figure, code)
  }
})

t.test('the guides state the defaults of processes and supervisors', async (t) => {
  const { maxRestarts, period, backoff } = planSupervisor({ backoff: { initial: 1, max: 2 } })
  const { shutdown } = planChild({ id: 'x', start: async () => {} })
  const guide = await prose('docs/processes.md')
  t.match(guide, `More than \`maxRestarts\` restarts (${maxRestarts}) within \`period\` (${period / 1000} s)`)
  t.match(guide, `each further one in a row \`factor\` (${backoff!.factor}) times as long`)
  t.match(guide, `by \`jitter\` (${backoff!.jitter}) of the delay`)
  t.match(guide, `waits its \`shutdown\` (${shutdown / 1000} s by default)`)
  t.match(guide, `\`closeTimeout\` (\`'${processesDefaults.closeTimeout}'\`)`)
})

t.test('the guides state the timings of a cluster', async (t) => {
  const guide = await prose('docs/cluster.md')
  const { default: usual, patient } = timings
  t.match(guide, `by a lease that is renewed every ${usual.renew / 1000} seconds`)
  t.match(guide, `A node that cannot renew its lease for ${usual.lease / 1000} seconds (${patient.lease / 1000} with \`patient\`) loses its names`)
  t.match(guide, `when it was silent for ${usual.down / 1000}. With \`timing: 'patient'\` these are ${patient.gone / 1000} and ${patient.down / 1000} seconds`)
})

t.test('the decision on channels states how much waits in a window', async (t) => {
  const count = (bytes: number, isOver: (window: Window) => boolean): number => {
    const window = new Window()
    let frames = 0
    for (; !isOver(window); frames++) window.addFrame(bytes)
    return frames
  }
  const frames = count(0, (window) => window.full)
  const mebibytes = count(1024 ** 2, (window) => window.full)
  const decision = await prose('docs/decisions/0008-channels-above-an-engine.md')
  t.match(decision, `bounded window (${frames.toLocaleString('en').replace(',', ' ')} frames, ${mebibytes} MB)`)
  const more = [count(0, (window) => window.exhausted) / frames, count(1024 ** 2, (window) => window.exhausted) / mebibytes]
  t.match(decision, `goes on up to ${more[0]} times as many frames and ${more[1]} times as many bytes`)
})

t.test('the guide to operations states how long a close takes, and grants it', async (t) => {
  const guide = await prose('docs/operations.md')
  const longest = 2 * toMilliseconds(processesDefaults.closeTimeout)
  t.match(guide, `at most twice \`closeTimeout\` (${longest / 1000} s by default)`)
  // More than that, for both of those who kill sooner by default.
  t.ok(Number(/kill_timeout: ([\d_]+)/.exec(guide)![1].replace('_', '')) > longest)
  t.ok(Number(/--close-grace-delay (\d+)/.exec(guide)![1]) > longest)
})
