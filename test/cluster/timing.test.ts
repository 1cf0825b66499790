import t from 'tap'
import { engineTiming, timings } from '../../lib/cluster/timing.js'

for (const [name, timing] of Object.entries(timings)) {
  t.test(
    `${name}: a lease has expired before another node may take what was held under it`,
    async (t) => {
      t.ok(timing.breakLease >= timing.lease + timing.request)
      t.ok(timing.renew * 2 + timing.request <= timing.lease, 'and one renewal may fail')
    }
  )

  t.test(`${name}: names survive each outage that channels survive`, async (t) => {
    t.ok(timing.lease >= timing.down + timing.renew + timing.request)
    t.ok(timing.down > timing.resend + timing.stall, 'and channels survive some')
  })

  t.test(`${name}: two renewals that are answered late fit into a lease`, async (t) => {
    // Each asks the register twice, and the second one begins when the first is answered.
    t.ok(Math.max(timing.renew, 2 * timing.request) + 2 * timing.request <= timing.lease)
  })

  t.test(
    `${name}: a claim is given up before the upgrade that waits for it, and after some requests`,
    async (t) => {
      t.ok(timing.acquire < 10_000, 'the default of upgradeTimeout')
      t.ok(timing.acquire > timing.request)
    }
  )

  t.test(`${name}: heartbeats may be lost before a node is down`, async (t) => {
    t.ok(timing.heartbeat * 2 < timing.gone)
    t.ok(timing.gone < timing.down)
    t.ok(timing.stall < timing.gone, 'and a loop that stood still is no reason')
  })

  t.test(
    `${name}: what was lost is asked for, and confirmed, long before its node is down`,
    async (t) => {
      t.ok(timing.ack < timing.resend)
      t.ok(timing.nack < timing.resend)
      t.ok(timing.resend < timing.down && timing.ping < timing.down)
      t.ok(timing.hello < timing.heartbeat, 'those who are there answer before their next beat')
    }
  )
}

t.test(
  'a connection to the engine that is dead is replaced before other nodes take this one for down',
  async (t) => {
    const { dialTimeout, answerTimeout, pingInterval } = engineTiming
    for (const { down } of Object.values(timings)) {
      t.ok(3 * pingInterval < down, 'two pings without an answer')
      t.ok(dialTimeout + answerTimeout < down)
    }
  }
)

t.test('the patient one outlasts a failover of half a minute', async (t) => {
  for (const key of ['down', 'lease', 'breakLease'] as const) {
    t.ok(timings.patient[key] > 30_000, key)
  }
})
