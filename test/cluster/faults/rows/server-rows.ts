// Faults of single servers of an engine with several.
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { circleWithHolder } from './engine-rows.js'
import { unharmed } from '../circle.js'
import { since, type Row, type Stage } from './row.js'
import { natsCluster, redisReplica, redisSentinel, redisServer } from '../../fixtures/servers.js'
import type { TestNode } from '../host.js'
import type { ClusterName } from '../../../../types/cluster.js'
import type { Joining } from '../worker-node.js'

/**
 * Waits until all replicas of the register's stream are up to date.
 * @returns the index of the server that leads the stream
 */
async function leaderOf (servers: string[], prefix: string): Promise<number> {
  const connection = await connect({ servers })
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false })
    for (;;) {
      const cluster = await manager.streams.info(`KV_${prefix}`).then(
        (info) => info.cluster,
        () => undefined
      )
      const current =
        cluster?.replicas?.filter((replica) => replica.current && replica.offline !== true) ?? []
      if (cluster?.leader !== undefined && current.length === servers.length - 1) {
        return Number(cluster.leader.slice(1))
      }
      await pause(100)
    }
  } finally {
    await connection.close()
  }
}

/**
 * Resolves when a node finds the holder of the name. A replica of the register that has just
 * started lags behind for a while.
 */
async function knows (node: TestNode, held: ClusterName): Promise<void> {
  const found = await node.ask('lookup', 'leader')
  if (isDeepStrictEqual(found, held)) return
  assert.equal(found, undefined, 'no other holder')
  await pause(100)
  await knows(node, held)
}

/**
 * Three nodes, each connected to a server of its own. The servers are killed one after the other,
 * and no user notices.
 */
async function onThree (stage: Stage, kills: (leader: number) => number[]): Promise<string> {
  const { t, scene } = stage
  const { servers, addresses } = await natsCluster(t)
  const engines: Array<Joining['options']> = addresses.map((_, i) => ({
    servers: [...addresses.slice(i), ...addresses.slice(0, i)],
    noRandomize: true,
    replicas: 3
  }))
  const { arcs, holder, held } = await circleWithHolder(stage, engines)
  const [a, b, c] = arcs.map(({ node }) => node)
  const times: string[] = []
  for (const [i, server] of kills(await leaderOf(addresses, scene.prefix)).entries()) {
    const start = Date.now()
    await servers[server].kill()
    for (const { node, next, client } of arcs) {
      client.sendNext()
      assert.equal(await node.ask('call', next.pid, 'echo', next.pid), next.pid)
      await client.untilEchoed()
    }
    times.push(since(start, await c.ask('takeOver', `after ${i}`, arcs[2].pid)))
    await servers[server].restart()
    await leaderOf(addresses, scene.prefix)
  }
  for (const node of [a, b, c]) await knows(node, held)
  assert.ok(await b.ask('alive', holder))
  assert.equal((await a.ask('refusal', 'leader', arcs[0].pid)).code, 'FST_CLUSTER_NAME_TAKEN')
  return `${await unharmed(arcs)}; the holder keeps its name; ` +
    `a new name is given ${times.join(', ')} after the kill`
}

export const natsRows: Record<string, Row> = {
  'the leader of three NATS servers is killed': async (stage) =>
    await onThree(stage, (leader) => [leader]),
  'each of three NATS servers is killed in turn, and started again': async (stage) =>
    await onThree(stage, () => [0, 1, 2])
}

export const redisRows: Record<string, Row> = {
  async 'the master of Redis is killed, and Sentinel promotes a replica' (stage) {
    const { t } = stage
    const master = await redisServer(t)
    await redisReplica(t, master.port)
    const { port } = await redisSentinel(t, master.port)
    const engine: Joining['options'] = {
      sentinels: [{ host: '127.0.0.1', port }],
      name: 'mymaster',
      timing: 'patient'
    }
    const { arcs, holder, held } = await circleWithHolder(stage, [engine, engine, engine])
    const [a, b, c] = arcs.map(({ node }) => node)
    const start = Date.now()
    await master.kill()
    for (const { node, next, client } of arcs) {
      client.sendNext()
      assert.equal(await node.ask('call', next.pid, 'echo', next.pid), next.pid)
      await client.untilEchoed()
    }
    const taken = await c.ask('takeOver', 'other', arcs[2].pid)
    for (const node of [a, b, c]) await knows(node, held)
    assert.ok(await b.ask('alive', holder))
    return `${await unharmed(arcs)}; the holder keeps its name; ` +
      `a new name is given ${since(start, taken)} after the kill`
  }
}
