import t from 'tap'
import { timings } from '../../lib/cluster/timing.js'

for (const [name, timing] of Object.entries(timings)) {
  t.test(`${name}: a lease is over before any other node may take what it held`, async (t) => {
    t.ok(timing.lease < timing.takeOver)
    t.ok(timing.renew * 2 + timing.request <= timing.lease, 'and one renewal may fail')
  })

  t.test(`${name}: heartbeats may be lost before a node is down`, async (t) => {
    t.ok(timing.heartbeat * 2 < timing.gone)
    t.ok(timing.gone < timing.down)
    t.ok(timing.stall < timing.gone, 'and a loop that stood still is no reason')
  })

  t.test(`${name}: what was lost is asked for, and confirmed, long before its node is down`, async (t) => {
    t.ok(timing.ack < timing.resend)
    t.ok(timing.nack < timing.resend)
    t.ok(timing.resend < timing.down && timing.ping < timing.down)
    t.ok(timing.hello < timing.heartbeat, 'those who are there answer before their next beat')
  })
}

t.test('the patient one outlasts a failover of half a minute', async (t) => {
  for (const key of ['down', 'lease', 'takeOver'] as const) t.ok(timings.patient[key] > 30_000, key)
})
