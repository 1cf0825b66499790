// Two healthy nodes register and unregister names at any time, while the register answers slowly.
// No
// name may be lost. docs/cluster.md, "Names".
import fc from 'fast-check'
import { NodeNames } from '../../../lib/cluster/names/names.js'
import { Register } from '../../../lib/cluster/register.js'
import { timings } from '../../../lib/cluster/timing.js'
import { silentLogger } from '../../../lib/process/index.js'
import { registerContext, TestStore } from '../../cluster/fixtures/register.js'
import { TestClock } from '../../cluster/fixtures/time.js'
import { ModelHere } from '../../cluster/simulation/model.js'
import { equal, suiteOf } from '../suite.js'
import type { NodeContext } from '../../../lib/cluster/context.js'
import type { Pid } from '../../../types/pid.js'

const timing = timings.default
const nodes = ['a', 'b'] as const
const nameCount = 3

/**
 * The slowest answer with which no name may be lost. A renewal makes two requests. The next renewal
 * begins when the first one is answered, or a renewal interval after its start, and makes two more.
 */
const slowest = Math.min(timing.request, (timing.lease - timing.renew) / 4) - 1

/** Times close to a deadline are more likely than others. */
const wait = fc.oneof(
  fc.nat(timing.renew),
  fc.nat(timing.lease + timing.renew),
  fc
    .constantFrom(timing.renew, timing.lease - timing.renew, timing.lease)
    .chain((at) => fc.integer({ min: Math.max(0, at - 300), max: at + 300 }))
)

const step = fc.record({
  wait,
  node: fc.nat(nodes.length - 1),
  name: fc.nat(nameCount - 1),
  action: fc.constantFrom('register', 'register', 'unregister', 'exit')
})

const histories = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 25 }),
  /**
   * Milliseconds until the register carries out a request, and until its answer arrives, in turns.
   */
  delays: fc.array(fc.oneof({ weight: 3, arbitrary: fc.nat(5) }, fc.nat(slowest)), {
    minLength: 1,
    maxLength: 12
  })
})

type History = typeof histories extends fc.Arbitrary<infer H> ? H : never

/** A register that answers late, but always within `slowest` milliseconds. */
class SlowStore {
  readonly store = new TestStore()
  readonly caps = { ...this.store.caps, durable: true }
  readonly #clock: TestClock
  readonly #delays: readonly number[]
  #asked = 0

  constructor (clock: TestClock, delays: readonly number[]) {
    this.#clock = clock
    this.#delays = delays
  }

  async get (key: string): ReturnType<TestStore['get']> {
    return await this.#later(() => this.store.get(key))
  }

  async cas (...args: Parameters<TestStore['cas']>): Promise<number> {
    return await this.#later(() => this.store.cas(...args))
  }

  #later<T> (ask: () => Promise<T>): Promise<T> {
    const total = this.#delays[this.#asked % this.#delays.length]
    const before = this.#asked++ % 2 === 0 ? total : 0
    return new Promise((resolve, reject) => {
      this.#clock.after(before, () => {
        ask().then((answer) => {
          this.#clock.after(total - before, () => {
            resolve(answer)
          })
        }, reject)
      })
    })
  }
}

class HealthyNode {
  readonly here = new ModelHere({
    delivered () {},
    broadcast () {},
    fault (text) {
      throw new Error(text)
    }
  })

  readonly #context: NodeContext
  readonly losses: string[] = []
  readonly names: NodeNames
  readonly refusals: string[] = []
  /** The last holder of each name. */
  readonly holders = new Map<string, Pid>()
  /** Names that were unregistered, or whose holder was ended. */
  pending = 0

  constructor (node: string, clock: TestClock, store: SlowStore, random: () => number) {
    this.here.suffix = `@${node}.5`
    const context = this.#context = registerContext(store, {
      clock,
      random,
      node,
      incarnation: 5,
      local: this.here,
      logger: {
        ...silentLogger,
        warn: (data, text) => {
          if (String(text).includes('lost its lease')) this.losses.push(`the lease: ${JSON.stringify(data)}`)
        }
      },
      events: {
        nameLost: (name, pid) => { this.losses.push(`${name} of ${pid}`) },
        broadcast: () => 0,
        fatal () {}
      }
    })
    const membership = { find: () => ({ incarnation: 5, state: 'up', hasLeft: false } as const) }
    // On a slow register, concurrent attempts may take longer than the timeout. That is allowed.
    this.names = new NodeNames(context, new Register(context), membership, 3_600_000)
  }

  register (name: string): void {
    const pid = this.here.spawn()
    this.pending++
    this.names
      .register(name, pid)
      .then(
        () => {
          this.holders.set(name, pid)
        },
        (err: { code?: string }) => {
          this.refusals.push(err.code ?? String(err))
        }
      )
      .finally(() => {
        this.pending--
      })
  }

  unregister (name: string): void {
    this.names.unregister(name).catch((err: unknown) => {
      this.losses.push(`giving ${name} back: ${String(err)}`)
    })
  }

  exit (name: string): void {
    const pid = this.holders.get(name)
    if (pid !== undefined) this.here.end(pid, 'done')
  }

  /** @throws when a name or the lease was lost although nothing had failed */
  check (): void {
    equal(this.losses.join('; '), '', 'losses')
    equal(this.#context.counters.fences, 0, 'fences')
    equal(this.refusals.filter((code) => code !== 'FST_CLUSTER_NAME_TAKEN').join(), '', 'refusals')
  }
}

async function run ({ steps, delays }: History): Promise<void> {
  const clock = new TestClock()
  const store = new SlowStore(clock, delays)
  let claims = 0
  const random = (): number => ++claims / 1e6
  const all = nodes.map((node) => new HealthyNode(node, clock, store, random))
  const check = (): void => { for (const node of all) node.check() }
  for (const { wait, node, name, action } of steps) {
    await clock.pass(wait)
    check()
    all[node][action](`name${name}`)
  }
  for (let i = 0; i < 100 && all.some(({ pending }) => pending > 0); i++) {
    await clock.pass(timing.lease)
  }
  await clock.pass(2 * timing.lease)
  check()
  for (const { pending } of all) equal(pending, 0, 'claims without an answer')
  const closing = Promise.all(all.map(({ names }) => names.close()))
  await clock.pass(timing.lease)
  await closing
  equal(all.reduce((sum, { names }) => sum + names.size, 0), 0, 'records that remain')
  equal(clock.pending, 0, 'timers that remain')
}

export const names = suiteOf('names', histories, run)
