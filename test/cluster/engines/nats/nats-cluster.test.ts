// Three NATS servers with JetStream, some of which die. It takes seconds, because leaders are
// elected slowly.
import t from 'tap'
import { missing, natsCluster } from '../../fixtures/servers.js'
import { until } from '../../../helpers.js'
import { nats } from '../../../../lib/cluster/engines/nats.js'
import type { Test } from 'tap'
import type { ClusterTransport } from '../../../../types/cluster.js'

const skip = missing('nats-server')

/** A transport that uses the first of these servers while it is alive. */
async function attached (
  t: Test,
  servers: string[]
): Promise<{ transport: ClusterTransport, states: boolean[] }> {
  const states: boolean[] = []
  const { transport } = nats({ servers, noRandomize: true, replicas: 3, startTimeout: '60s' })
  t.teardown(() => transport.close())
  await transport.open({
    state: (up) => {
      states.push(up)
    }
  })
  return { transport, states }
}

t.test(
  'delivers frames while the register has no leader; the register works again with a leader',
  { skip },
  async (t) => {
    const {
      servers,
      addresses: [one, two, three]
    } = await natsCluster(t)
    const nodes = await Promise.all([
      attached(t, [one, two, three]),
      attached(t, [two, three, one]),
      attached(t, [three, one, two])
    ])
    const [, { transport: second }, { transport: third, states: untouched }] = nodes
    t.equal((await second.cas('key', Buffer.from('before'), 0)) > 0, true)
    const heard: string[] = []
    for (const [i, { transport }] of nodes.entries()) {
      await transport.subscribe('fwr.topic', (bytes) => {
        heard.push(`${i} ${String(Buffer.from(bytes))}`)
      })
    }
    // One of three servers has no majority, so no leader can be elected.
    await Promise.all([servers[0].kill(), servers[1].kill()])
    await until(
      () =>
        nodes.every(({ states }) => states.at(-1) === true) &&
        nodes[0].states.length === 3 &&
        nodes[1].states.length === 3
    )
    for (const [i, { transport }] of nodes.entries()) {
      t.ok(transport.publish('fwr.topic', Buffer.from(`from ${i}`)))
    }
    await until(() => heard.length === 6)
    t.strictSame(
      heard.sort(),
      [0, 1, 2].flatMap((to) =>
        [0, 1, 2].filter((from) => from !== to).map((from) => `${to} from ${from}`)
      )
    )
    t.strictSame(untouched, [true], 'who is attached to the server that lives notices nothing')
    await t.rejects(second.cas('key', Buffer.from('meanwhile'), 0), {
      code: 'FST_CLUSTER_UNAVAILABLE'
    })
    await Promise.all([servers[0].restart(), servers[1].restart()])
    let revision = 0
    await until(async () => {
      const found = await second.get('key').catch(() => undefined)
      revision =
        found === undefined
          ? 0
          : await second.cas('key', Buffer.from('after'), found.revision).catch(() => 0)
      return revision > 0
    })
    // Any server answers, also one with old data.
    await until(async () => String(Buffer.from((await third.get('key'))!.value)) === 'after')
  }
)
