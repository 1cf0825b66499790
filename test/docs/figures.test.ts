// Tables and figures of the docs agree with the code.
import t from 'tap'
import { timings } from '../../lib/cluster/timing.js'
import { Window } from '../../lib/cluster/link/window.js'
import { errorCodes } from '../../lib/errors.js'
import { normalizeOptions, overrideSettings } from '../../lib/registration/options.js'
import { toMilliseconds } from '../../lib/shared/duration.js'
import { processesDefaults } from '../../lib/process/options.js'
import { planChild, planSupervisor } from '../../lib/process/supervisor/spec.js'
import { defaultFragments } from '../../lib/connection/settings.js'
import { mutants } from '../mutants/all.js'
import { mutants as clusterMutants } from '../cluster/mutants/list.js'
import { prose, rows, spans } from './tables.js'

/** The names that an error message lists after `only`. */
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
  const factors: Record<string, number> = { KiB: 1024, MiB: 1024 ** 2 }
  return Number(figure.replaceAll(' ', '')) * (factors[unit] ?? 1)
}

t.test('docs/options.md lists each option, with its default and its scope', async (t) => {
  const table = await rows('docs/options.md', 'option', 'default', 'scope')
  const all = names(() => normalizeOptions({ noSuchOption: 1 }))
  const ofRoute = names(() => overrideSettings(normalizeOptions({}).route, { noSuchOption: 1 }))
  const documented = table.map(([option]) => spans(option)[0])
  t.strictSame(documented.sort(), [...new Set([...all, ...ofRoute])].sort())

  const { route, server } = normalizeOptions({})
  const maxFragments = defaultFragments(route.maxPayload)
  const defaults: Record<string, unknown> = { ...route, ...server, maxFragments }
  // Defaults that are documented in words.
  const words: Record<string, unknown> = { 'same-origin only': undefined, none: undefined }
  for (const [cell, byDefault, scope] of table) {
    const option = spans(cell)[0]
    const owner = ofRoute.includes(option) ? 'registration' : 'server'
    t.equal(scope, all.includes(option) ? owner : 'route', `${option}: scope`)
    const shown = value(byDefault)
    let expected = defaults[option]
    if (expected === Infinity) expected = undefined
    if (typeof shown === 'string' && shown in words) t.equal(words[shown], expected, option)
    else if (typeof shown === 'string' && typeof expected === 'number') {
      t.equal(toMilliseconds(shown as '1s'), expected, option)
    } else t.strictSame(shown, expected, option)
  }
})

t.test(
  'docs/errors.md lists each code, with its status and the figures of its message',
  async (t) => {
    const all = await rows('docs/errors.md', 'code', 'status', 'cause', 'fix')
    const table = new Map(all.map((row) => [spans(row[0])[0], row]))
    t.strictSame([...table.keys()].sort(), Object.keys(errorCodes).sort())
    for (const [code, CodedError] of Object.entries(errorCodes)) {
      const [, status, ...text] = table.get(code)!
      const { statusCode, message } = new CodedError('a', 'b', 'c')
      t.ok(status.split(', ').includes(String(statusCode)), `${code}: ${statusCode}`)
      for (const [figure] of message.matchAll(/\d+ to \d+/g)) t.match(text.join(' '), figure, code)
    }
  }
)

t.test('the guides state the defaults of processes and supervisors', async (t) => {
  const { maxRestarts, period, backoff } = planSupervisor({ backoff: { initial: 1, max: 2 } })
  const { shutdown } = planChild({ id: 'x', start: async () => {} })
  const pages = ['docs/processes.md', 'docs/supervision.md']
  const guide = (await Promise.all(pages.map(prose))).join(' ')
  t.match(
    guide,
    `More than \`maxRestarts\` restarts (${maxRestarts}) within \`period\` (${period / 1000} s)`
  )
  t.match(guide, `each further one in a row \`factor\` (${backoff!.factor}) times as long`)
  t.match(guide, `by \`jitter\` (${backoff!.jitter}) of the delay`)
  t.match(guide, `waits its \`shutdown\` (${shutdown / 1000} s by default)`)
  t.match(guide, `\`closeTimeout\` (\`'${processesDefaults.closeTimeout}'\`)`)
})

t.test('docs/cluster.md states the timings of a cluster', async (t) => {
  const guide = await prose('docs/cluster.md')
  const { default: usual, patient } = timings
  t.match(guide, `by a lease that is renewed every ${usual.renew / 1000} seconds`)
  const seconds = (duration: number): number => duration / 1000
  t.match(
    guide,
    `cannot renew its lease for ${seconds(usual.lease)} seconds (${seconds(patient.lease)} with \`patient\`)`
  )
  t.match(
    guide,
    `when it was silent for ${seconds(usual.down)}. With \`timing: 'patient'\` these are ${seconds(patient.gone)} and ${seconds(patient.down)} seconds`
  )
})

t.test('decision 8 states the limits of a window', async (t) => {
  const count = (bytes: number, isOver: (window: Window) => boolean): number => {
    const window = new Window()
    let frames = 0
    for (; !isOver(window); frames++) window.countAdded(bytes)
    return frames
  }
  const frames = count(0, (window) => window.full)
  const mebibytes = count(1024 ** 2, (window) => window.full)
  const decision = await prose('docs/decisions/0008-channels-above-an-engine.md')
  t.match(
    decision,
    `bounded window (${frames.toLocaleString('en').replace(',', ' ')} frames, ${mebibytes} MB)`
  )
  const moreFrames = count(0, (window) => window.exhausted) / frames
  const moreBytes = count(1024 ** 2, (window) => window.exhausted) / mebibytes
  t.match(
    decision,
    `queued up to ${moreFrames} times as many frames and ${moreBytes} times as many bytes`
  )
})

t.test('docs/deploys.md gives process managers more time than a close takes', async (t) => {
  const guide = await prose('docs/deploys.md')
  const longest = 2 * toMilliseconds(processesDefaults.closeTimeout)
  t.match(guide, `at most twice \`closeTimeout\` (${longest / 1000} s by default)`)
  // pm2 and fastify-cli kill sooner by default.
  t.ok(Number(/kill_timeout: ([\d_]+)/.exec(guide)![1].replace('_', '')) > longest)
  t.ok(Number(/--close-grace-delay (\d+)/.exec(guide)![1]) > longest)
})

t.test('docs/reliability.md counts the mutants', async (t) => {
  const table = await rows('docs/reliability.md', 'suite', 'files', 'what it does', 'how much')
  const [,,, figures] = table.find(([suite]) => suite === 'mutants')!
  const sum = figures.match(/\d+(?= (?:mutants )?of )/g)!.reduce((sum, n) => sum + Number(n), 0)
  t.equal(sum, mutants.length + clusterMutants.length)
})
