import { setTimeout as sleep } from 'node:timers/promises'
import { together } from '../rig/problems.js'
import type { CrowdTotals } from '../clients/crowd.js'
import type { Phase, Rig } from '../rig/rig.js'

const messages = 3

export const churn: Phase = {
  title: 'Churn',
  about:
    'Clients connect all the time, exchange some messages and leave: a third each by close ' +
    'frame, RST, and the end of their process. Each has a name, groups, a link and a late heartbeat.',
  async run (rig, section) {
    const { perSecond, rounds, seconds } = rig.scale.churn
    await rig.server.ask('keep', 'churn', { related: true, relay: { heartbeat_interval: '1h' } })
    const visitors = new Visitors(rig)
    await visitors.start()
    const samples = []
    for (let round = 0; round <= rounds; round++) {
      await visitors.come(perSecond, seconds)
      const { leaves } = await rig.server.ask('tallied', 'churn', {
        leaves: visitors.came,
        exits: visitors.came
      })
      if (leaves !== visitors.came) break // Some leaves are lost: waiting does not help.
      samples.push(await rig.sample(visitors.came))
    }
    const { came, departed, totals } = visitors
    const tally = await rig.server.ask('tallied', 'churn', { leaves: came, exits: came })
    section.equal(
      'joins, leaves and exits are as many as clients came',
      [tally.joins, tally.leaves, tally.exits],
      [came, came, came]
    )
    section.equal('each left with its cause', tally.causes, {
      client: departed.close,
      lost: departed.reset + departed.killed
    })
    section.equal('every message came to the target', tally.messages, came * messages)
    section.equal(
      'and back, as it was and in order',
      [totals.reduce((sum, { read }) => sum + read, 0), together([tally, ...totals])],
      [came * messages, 'none']
    )
    section.equal(
      'links told of those that were lost, and of no other',
      tally.linksDown,
      departed.reset + departed.killed
    )
    rig.growth(section, 'connections', samples)
  }
}

class Visitors {
  came = 0
  readonly departed = { close: 0, reset: 0, killed: 0 }
  readonly totals: CrowdTotals[] = []
  readonly #rig: Rig
  #visits!: Awaited<ReturnType<Rig['clients']>>

  constructor (rig: Rig) {
    this.#rig = rig
  }

  async start (): Promise<void> {
    this.#visits = await this.#rig.clients()
  }

  /** Resolves when all clients of these seconds have gone. */
  async come (perSecond: number, seconds: number): Promise<void> {
    const third = Math.ceil(perSecond / 3)
    const gone: Array<Promise<void>> = []
    for (let second = 0; second < seconds; second++) {
      const next = sleep(1000)
      gone.push(this.#visit(perSecond - third), this.#vanish(third))
      await next
    }
    await Promise.all(gone)
  }

  #spec (count: number) {
    const first = this.came
    this.came += count
    return { port: this.#rig.port, path: '/churn', first, count, reading: 'echoes' as const }
  }

  async #visit (count: number): Promise<void> {
    this.totals.push(
      await this.#visits.ask('visit', this.#spec(count), messages, ['close', 'reset'])
    )
    this.departed.close += Math.ceil(count / 2)
    this.departed.reset += Math.floor(count / 2)
  }

  /** Kills the process of the clients. */
  async #vanish (count: number): Promise<void> {
    const clients = await this.#rig.clients()
    await clients.ask('open', this.#spec(count))
    await clients.ask('exchange', messages)
    this.totals.push(await clients.ask('totals'))
    await clients.kill()
    this.departed.killed += count
  }
}
