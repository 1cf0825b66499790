// Walks the table of states at the top of `lifecycle.ts`, cell by cell: what a process really does
// must be what the table says.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { buildRuntime, deferred, recordingLogger } from '../helpers.js'
import { ManualClock, ticks } from '../../properties/clock.js'
import { root } from '../../program.js'
import type { Actor } from '../../../lib/process/actor/actor.js'
import type { Process } from '../../../types/processes.js'
import type { Loose } from '../helpers.js'

const states = ['running', 'cancelled', 'stopping', 'ended'] as const
type State = typeof states[number]

/** The rows of the table, by event, without the footnotes. */
const table = new Map(
  readFileSync(join(root, 'lib/process/actor/lifecycle.ts'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(' * | '))
    .map((line) => line.slice(5, -1).split('|').map((cell) => cell.replace(/\([\d, ]+\)/, '').trim()))
    .filter(([event]) => event !== 'event' && !event!.startsWith('---'))
    .map(([event, ...cells]) => [event!, cells] as const)
)

const broken = new Error('broken')

/** A process whose body the test plays. */
class Played {
  readonly clock = new ManualClock()
  readonly log = recordingLogger()
  readonly #build = buildRuntime({ clock: this.clock, logger: this.log.logger })
  readonly body = deferred()
  readonly actor: Actor
  readonly exits: string[] = []
  self!: Process<Loose>

  constructor () {
    const { runtime } = this.#build
    const start = (self: Process<Loose>): Promise<void> => {
      this.self = self
      return this.body.promise
    }
    this.actor = runtime.spawner.start(start as never, {}, 'process', 'played')
    runtime.exitSignals.monitor(this.actor.pid, {
      targetEnded: ({ reason }) => { this.exits.push(reason) }
    })
    this.clock.run()
  }

  get state (): State {
    return states[this.actor['state']]
  }

  get refused (): number {
    return this.#build.processes.stats().refused
  }

  reach (state: State): void {
    if (state === 'cancelled') this.actor.cancel(undefined, 'cancelled')
    if (state === 'stopping') this.stop('stopped')
    if (state === 'ended') this.actor.end('gone')
  }

  stop (reason: string): void {
    t.throws(() => this.self.stop(reason), { code: 'FST_PROCESS_STOPPED' })
  }

  /** Waits until no code can run any more. */
  async rest (): Promise<void> {
    do {
      this.clock.run()
      this.clock.yieldOnce()
      await ticks()
    } while (this.clock.busy)
  }
}

/** How a promise stands. */
function outcomeOf (promise: Promise<unknown>): { text: string } {
  const outcome = { text: 'waits' }
  promise.then(() => { outcome.text = 'returns' }, () => { outcome.text = 'rejects' })
  return outcome
}

/**
 * One way to play an event. The first function prepares the process, before it reaches its state.
 * The second one plays the event. The third one tells what happened in the same state.
 */
type Play = (played: Played) => { act (): void, outcome? (): string, played?: Played }

const plays: Array<[event: string, play: Play]> = [
  ['`cancel`', ({ actor }) => ({ act () { actor.cancel(undefined, 'again') } })],
  ['`self.stop`', (played) => ({ act () { played.stop('again') } })],
  ['a handler throws', (played) => {
    const work = deferred()
    const serving = outcomeOf(played.self.serve({ work: () => work.promise }))
    played.actor.deliver('work', undefined, undefined)
    played.clock.run()
    return {
      act () { work.reject(broken) },
      outcome: () => serving.text === 'rejects' ? '`serve` rejects' : 'nothing'
    }
  }],
  ['the body returns', ({ body }) => ({ act () { body.resolve() } })],
  ['the body throws', ({ body }) => ({ act () { body.reject(broken) } })],
  ['`exit`, a link fails', ({ actor }) => ({ act () { actor.end('its reason') } })],
  ['`exit`, a link fails', ({ actor }) => ({ act () { actor.linkFailed('its reason', broken) } })],
  ['a message arrives', (played) => {
    let outcome: string
    return {
      act () {
        const { refused, actor: { mailbox: { length } } } = played
        const accepted = played.actor.deliver('text', undefined, undefined)
        t.equal(played.actor.mailbox.length, accepted ? length + 1 : length)
        t.equal(played.refused, accepted ? refused : refused + 1)
        outcome = accepted ? 'queued' : 'refused'
      },
      outcome: () => outcome
    }
  }],
  ['`receive`', (played) => {
    const topics: string[] = []
    let end = 'waits'
    const loop = async (): Promise<void> => {
      for (;;) topics.push((await played.self.receive()).topic as string)
    }
    return {
      act () {
        loop().catch((err: { code: string }) => {
          t.equal(err.code, 'FST_PROCESS_STOPPED')
          end = 'rejects'
        })
      },
      outcome: () => withMail(played, topics, end)
    }
  }],
  ['`serve`', (played) => {
    const topics: string[] = []
    let serving: { text: string }
    return {
      act () {
        serving = outcomeOf(played.self.serve({}, ({ topic }) => { topics.push(topic as string) }))
      },
      outcome: () => withMail(played, topics, serving.text)
    }
  }]
]

/** Mail was queued before a cancel or stop. */
function withMail ({ state }: Played, topics: string[], end: string): string {
  if (topics.length === 0) return end
  t.strictSame(topics, ['queued', '@cancel'], state)
  return `mail, then ${end}`
}

/** Plays an event in a state. @returns the cell of the table that describes what happened */
async function cellOf (event: string, play: Play, state: State): Promise<string> {
  const played = new Played()
  const { act, outcome } = play(played)
  const waits = event === '`receive`' || event === '`serve`'
  if (waits && state !== 'running') played.actor.deliver('queued', undefined, undefined)
  played.reach(state)
  await played.rest()
  t.equal(played.state, state, 'the state before')
  const { reason } = played.self.signal
  act()
  await played.rest()
  t.equal(played.self.signal.aborted, played.state !== 'running')
  if (state !== 'running') t.equal(played.self.signal.reason, reason, 'the signal aborts once')
  t.equal(played.exits.length, played.state === 'ended' ? 1 : 0, 'it ends once')
  if (played.state === state) return outcome?.() ?? 'nothing'
  t.equal(played.log.lines.length, played.exits[0] === 'error' ? 1 : 0, 'errors are logged')
  return played.state === 'ended' ? `ended: ${reasonOf(played)}` : played.state
}

/** An exit reason, as the table writes it. */
function reasonOf ({ exits: [reason] }: Played): string {
  if (reason === 'its reason') return reason
  return reason === 'stopped' ? 'stop reason' : `\`${reason}\``
}

for (const [event, play] of plays) {
  t.test(`moves between states as the table says: ${event}`, async (t) => {
    for (const [i, state] of states.entries()) {
      t.equal(await cellOf(event, play, state), table.get(event)![i], state)
    }
  })
}

t.test('the table has no other events', async (t) => {
  t.strictSame([...table.keys()], [...new Set(plays.map(([event]) => event))])
})

t.test('an error that the stop has caused counts as a return of the body', async (t) => {
  for (const [state, reason] of [['cancelled', 'shutdown'], ['stopping', 'stopped']] as const) {
    const played = new Played()
    played.reach(state)
    played.body.reject(played.self.signal.reason)
    await played.rest()
    t.strictSame(played.exits, [reason])
    t.equal(played.log.lines.length, 0)
  }
})

t.test('ends with the error of a handler when the body returns', async (t) => {
  const played = new Played()
  played.self.serve({ work () { throw broken } }).catch(() => {})
  played.actor.deliver('work', undefined, undefined)
  await played.rest()
  t.equal(played.state, 'stopping')
  played.body.resolve()
  await played.rest()
  t.strictSame(played.exits, ['error'])
  t.match(played.log.lines, [{ level: 'error', args: [{ err: broken }] }])
})

t.test('takes `normal` or `shutdown` as the reason of a stop without one', async (t) => {
  for (const [state, reason] of [['running', 'normal'], ['cancelled', 'shutdown']] as const) {
    const played = new Played()
    played.reach(state)
    t.throws(() => played.self.stop())
    played.body.resolve()
    await played.rest()
    t.strictSame(played.exits, [reason])
  }
})

t.test('drops the error of a handler that throws when its process has ended', async (t) => {
  const played = new Played()
  const work = deferred()
  const serving = played.self.serve({ work: () => work.promise })
  played.actor.deliver('work', undefined, undefined)
  played.clock.run()
  played.actor.end('gone')
  // An unhandled rejection would end the program, and fails this test.
  work.reject(broken)
  await played.rest()
  await t.resolves(serving)
  t.strictSame(played.exits, ['gone'])
})
