// Faults of the engine, and of the connection to it.
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { broadcasts, circle, unharmed } from '../circle.js'
import { nodeLost, partlyArrived, since, type Row, type Stage } from './row.js'
import type { Joining } from '../worker-node.js'
import { proxy } from '../../fixtures/proxy.js'

/** The engine is killed and comes back before any user notices. */
function outage (ms: number): Row {
  return async (stage) => {
    const { scene } = stage
    const { arcs, holder, held } = await circleWithHolder(stage)
    const pending: Array<Promise<unknown>> = []
    await scene.fault(ms + 1500, async () => {
      await scene.engine.kill()
      for (const { node, next, client } of arcs) {
        pending.push(node.ask('call', next.pid, 'echo', next.pid))
        client.sendNext()
      }
      await pause(ms)
      await scene.engine.restart()
    })
    assert.deepEqual(
      await Promise.all(pending),
      arcs.map(({ next }) => next.pid),
      'calls that were made meanwhile are answered'
    )
    assert.ok(await arcs[1].node.ask('alive', holder))
    for (const { node } of arcs) {
      assert.deepEqual(await node.ask('lookup', 'leader'), held, 'the holder keeps its name')
    }
    const refusal = await arcs[0].node.ask('refusal', 'leader', arcs[0].pid)
    assert.equal(refusal.code, 'FST_CLUSTER_NAME_TAKEN')
    return `${await unharmed(arcs)}; the holder keeps its name`
  }
}

/** Starts a circle whose second node has a process with a cluster-wide name. */
export async function circleWithHolder (stage: Stage, engines?: Array<Joining['options']>) {
  const arcs = await circle(stage, engines)
  const { node } = arcs[1]
  const holder = await node.ask('spawn')
  const held = await node.ask('register', 'leader', holder)
  await node.ask('monitor', holder)
  return { arcs, holder, held }
}

export const engineRows: Record<string, Row> = {
  'the engine is killed, and back after 2 s': outage(2000),
  'the engine is killed, and back after 5 s': outage(5000),
  'the engine is killed, and back after 7 s': outage(7000),

  async 'the engine is away for 14 s' (stage) {
    const { scene } = stage
    const { arcs, holder, held } = await circleWithHolder(stage)
    const [a, b, c] = arcs.map(({ node }) => node)
    const names = {
      [holder]: 'holder',
      ...Object.fromEntries(
        arcs.flatMap(({ node, pid, observer }) =>
          [pid, observer].map((at) => [at, `at ${node.name}`])
        )
      )
    }
    const start = Date.now()
    await scene.engine.kill()
    const stories: Record<string, string[]> = {
      a: [
        'b down',
        '@exit at b: noconnection',
        '@link_down at b: noconnection',
        '@link_down at c: noconnection',
        'c down'
      ],
      b: [
        'a down',
        '@exit at c: noconnection',
        '@link_down at c: noconnection',
        '@link_down at a: noconnection',
        'c down',
        '@exit holder: name_lost'
      ],
      c: [
        'a down',
        '@exit at a: noconnection',
        '@link_down at a: noconnection',
        '@link_down at b: noconnection',
        'b down'
      ]
    }
    for (const node of [a, b, c]) {
      const expected = stories[node.name]
      await node.until('the loss of both', (seen) => seen.length >= expected.length)
      const story = node.story(names)
      assert.deepEqual([...story].sort(), [...expected].sort(), node.name)
      for (const [i, line] of story.entries()) {
        const [, other] = /at (.): noconnection/.exec(line) ?? []
        if (other !== undefined) {
          assert.ok(story.indexOf(`${other} down`) < i, `${line} comes after its node`)
        }
      }
      assert.deepEqual(await node.ask('health'), { ready: false, problem: 'engine away' })
    }
    assert.equal(await b.ask('alive', holder), false)
    const lost = b.seen.find(({ payload }) => payload.reason === 'name_lost')!
    const exit = a.seen.find(({ payload }) => payload.reason === 'noconnection')!
    const loads = await Promise.all(arcs.map(({ node }) => node.ask('stopLoad')))
    for (const { node, next, client } of arcs) {
      assert.equal(await node.ask('send', next.pid, 'number', [1e6]), false, 'it is refused')
      assert.equal(await client.untilClosed(), nodeLost)
    }
    await pause(Math.max(0, 14_000 - (Date.now() - start)))
    await scene.engine.restart()
    for (const node of [a, b, c]) {
      for (const other of [a, b, c]) if (other !== node) await node.untilNode(other.name, 'up')
      assert.deepEqual(await node.ask('health'), { ready: true })
    }
    let messages = 0
    let gone = 0
    for (const [i, { node, next }] of arcs.entries()) {
      await node.reach(next.pid)
      gone += await partlyArrived(loads[i], node, next.node, next.pid)
      messages += loads[i].accepted
    }
    const taken = await c.ask('takeOver', 'leader', arcs[2].pid)
    assert.ok(taken.fence > held.fence)
    const news = await broadcasts(arcs, loads[0].broadcast)
    for (const node of [a, b, c]) {
      assert.equal(
        node.seen.length,
        stories[node.name].length + 2,
        `exactly one exit each: ${node}`
      )
    }
    return `name lost after ${since(start, lost)}, noconnection on all nodes after ` +
      `${since(start, exit)}, ${gone} of ${messages} messages lost with it; sockets: ` +
      `${nodeLost}; ${news}; PIDs work again afterwards`
  },

  async 'the engine comes back without its data' (stage) {
    const { scene } = stage
    const { arcs, held } = await circleWithHolder(stage)
    const [a, b, c] = arcs.map(({ node }) => node)
    const start = Date.now()
    await scene.fault(3500, async () => {
      await scene.engine.kill()
      await pause(2000)
      await scene.engine.restart(true)
    })
    const refusals = await Promise.all(
      [a, c].map(async (node) => await node.ask('refusal', 'leader', await node.ask('spawn')))
    )
    for (const { code } of refusals) assert.equal(code, 'FST_CLUSTER_NAME_TAKEN')
    const free = await c.ask('takeOver', 'other', arcs[2].pid)
    for (const node of [a, b, c]) assert.deepEqual(await node.ask('lookup', 'leader'), held)
    return `${await unharmed(arcs)}; the holder keeps its name, ${refusals.length} others are ` +
      `refused it; a free name is given ${since(start, free)} after the kill`
  },

  async 'a node is cut off for 16 s' ({ t, scene, hosts }) {
    const between = await proxy(t, scene.engine.port)
    const a = await scene.node('a', hosts[0])
    const b = await scene.node('b', hosts[1], between.port)
    const c = await scene.node('c', hosts[2])
    const [holder, heir, here] = [await b.ask('spawn'), await c.ask('spawn'), await a.ask('spawn')]
    const names = { [holder]: 'holder', [here]: 'here' }
    const held = await b.ask('register', 'leader', holder)
    await b.ask('monitor', holder)
    await b.ask('monitor', here)
    await a.ask('monitor', holder)
    await c.ask('monitor', heir)
    await b.ask('startLoad', here)
    await a.ask('received', here, 100)
    assert.equal(await a.ask('call', holder, 'echo', 1), 1)
    const clients = [await scene.client(a, holder), await scene.client(b, here)]
    scene.forget()
    const start = Date.now()
    between.mode = 'hole'
    const taking = c.ask('takeOver', 'leader', heir)
    const [left, stayed] = [
      ['c down', 'a down', '@exit here: noconnection', '@exit holder: name_lost'],
      ['b down', '@exit holder: noconnection']
    ]
    await b.until('the loss of its name', () => b.story(names).includes('@exit holder: name_lost'))
    const lost = b.seen.find(({ payload }) => payload.reason === 'name_lost')!
    const taken = await taking
    assert.ok(lost.at <= taken.at, 'a name never has two holders')
    assert.ok(taken.fence > held.fence)
    assert.deepEqual(
      await a.ask('lookup', 'leader'),
      { pid: heir, fence: taken.fence },
      `lookup on a; c saw: ${c}`
    )
    await a.until('the exit', (seen) => seen.length === stayed.length)
    assert.deepEqual(a.story(names), stayed)
    const exit = a.seen[1]
    await b.until('the loss of the others', (seen) => seen.length === left.length)
    assert.deepEqual(b.story(names).sort(), [...left].sort())
    const load = await b.ask('stopLoad')
    // The holder had ended before, but its node could not report it.
    assert.deepEqual(await Promise.all(clients.map((client) => client.untilClosed())), [
      nodeLost,
      nodeLost
    ])
    await pause(Math.max(0, 16_000 - (Date.now() - start)))
    between.mode = 'pass'
    await Promise.all([
      a.untilNode('b', 'up'),
      b.untilNode('a', 'up'),
      b.untilNode('c', 'up'),
      c.untilNode('b', 'up')
    ])
    await a.reach(await b.ask('spawn'))
    await b.reach(here)
    const gone = await partlyArrived(load, b, a, here)
    assert.deepEqual(
      await b.ask('lookup', 'leader'),
      { pid: heir, fence: taken.fence },
      `lookup on b; c saw: ${c}`
    )
    assert.equal(
      (await b.ask('refusal', 'leader', await b.ask('spawn'))).code,
      'FST_CLUSTER_NAME_TAKEN'
    )
    assert.equal(a.seen.length, stayed.length + 1, a.toString())
    assert.equal(b.seen.length, left.length + 2, b.toString())
    assert.deepEqual(c.story(), ['b down', 'b up'], 'the heir keeps it')
    return `its names lost after ${since(start, lost)}, noconnection after ` +
      `${since(start, exit)}, its name taken over after ${since(start, taken)}, ${gone} of ` +
      `${load.accepted} messages lost; sockets on both sides: ${nodeLost}`
  }
}
