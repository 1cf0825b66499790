import t from 'tap'
import { engineTiming, timings } from '../../lib/cluster/timing.js'

for (const [name, timing] of Object.entries(timings)) {
  t.test(`${name}: a lease has expired when another node may break it`, async (t) => {
    t.ok(timing.breakLease >= timing.lease + timing.request)
    t.ok(timing.renew * 2 + timing.request <= timing.lease, 'and one renewal may fail')
  })

  t.test(`${name}: names survive when channels survive an outage`, async (t) => {
    t.ok(timing.lease >= timing.down + timing.renew + timing.request)
    t.ok(timing.down > timing.resend + timing.stall, 'channels survive short outages')
  })

  t.test(`${name}: a lease lasts for two renewals when both are answered late`, async (t) => {
    // Each renewal makes two requests. The second renewal starts when the first is answered.
    t.ok(Math.max(timing.renew, 2 * timing.request) + 2 * timing.request <= timing.lease)
  })

  t.test(
    `${name}: an attempt to get a name ends before the upgrade that waits for it times out`,
    async (t) => {
      t.ok(timing.acquire < 10_000, 'the default of upgradeTimeout')
      t.ok(timing.acquire > timing.request)
    }
  )

  t.test(`${name}: a node is still up when some heartbeats are lost`, async (t) => {
    t.ok(timing.heartbeat * 2 < timing.gone)
    t.ok(timing.gone < timing.down)
    t.ok(timing.stall < timing.gone, 'a stalled event loop does not mark nodes as down')
  })

  t.test(
    `${name}: lost frames are sent again and acknowledged before their node is down`,
    async (t) => {
      t.ok(timing.ack < timing.resend)
      t.ok(timing.nack < timing.resend)
      t.ok(timing.resend < timing.down && timing.ping < timing.down)
      t.ok(timing.hello < timing.heartbeat, 'nodes answer a hello before their next heartbeat')
    }
  )
}

t.test(
  'a dead connection to the engine is replaced before other nodes mark this one as down',
  async (t) => {
    const { dialTimeout, answerTimeout, pingInterval } = engineTiming
    for (const { down } of Object.values(timings)) {
      t.ok(3 * pingInterval < down, 'two pings without an answer')
      t.ok(dialTimeout + answerTimeout < down)
    }
  }
)

t.test('names and nodes survive a failover of 30 s when the timing is patient', async (t) => {
  for (const key of ['down', 'lease', 'breakLease'] as const) {
    t.ok(timings.patient[key] > 30_000, key)
  }
})
