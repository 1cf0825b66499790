// Faults of the engine, and of the way to it.
import { setTimeout as pause } from 'node:timers/promises'
import { proxy } from '../fixtures/proxy.js'
import { arrived, since, type Row, type Stage } from './row.js'
import type { TestNode } from './scene.js'
import type { Pid } from '../../../types/pid.js'

/** Three nodes: each sends numbers to the next and monitors it, and all are linked. */
async function circle ({ scene, hosts }: Stage): Promise<Array<{ node: TestNode, pid: Pid, next: Pid, observer: Pid }>> {
  const nodes = [await scene.node('a', hosts[0]), await scene.node('b', hosts[1]), await scene.node('c', hosts[2])]
  const pids = await Promise.all(nodes.map((node) => node.ask('spawn')))
  const observers = await Promise.all(nodes.map((node) => node.ask('observer')))
  const all = nodes.map((node, i) => ({ node, pid: pids[i], next: pids[(i + 1) % 3], observer: observers[i] }))
  for (const [i, { node, next }] of all.entries()) {
    await node.ask('monitor', next)
    await node.ask('link', observers[(i + 1) % 3])
    await node.ask('startLoad', next)
  }
  await Promise.all(all.map(({ node, pid }) => node.ask('received', pid, 100)))
  scene.forget()
  return all
}

/** The engine is killed and comes back, soon enough for nobody to notice. */
function outage (ms: number): Row {
  return async (stage) => {
    const { t, scene } = stage
    const all = await circle(stage)
    const pending: Array<Promise<unknown>> = []
    await scene.fault(ms + 1500, async () => {
      await scene.engine.kill()
      for (const { node, next } of all) pending.push(node.ask('call', next, 'echo', next))
      await pause(ms)
      await scene.engine.restart()
    })
    t.strictSame(await Promise.all(pending), all.map(({ next }) => next), 'calls that were made meanwhile are answered')
    let messages = 0
    let refused = 0
    for (const { node, next } of all) {
      const load = await node.ask('stopLoad')
      await arrived(t, load, all.find(({ pid }) => pid === next)!.node, next)
      messages += load.accepted
      refused += load.refused
    }
    for (const { node } of all) t.strictSame(node.story(), [], node.name)
    return `nothing: of ${messages} messages 0 lost, 0 doubled, in order; ${refused} refused`
  }
}

export const engineRows: Record<string, Row> = {
  'the engine is killed, and back after 2 s': outage(2000),
  'the engine is killed, and back after 5 s': outage(5000),

  async 'the engine is away for 12 s' (stage) {
    const { t, scene } = stage
    const all = await circle(stage)
    const [a, b, c] = all.map(({ node }) => node)
    const holder = await b.ask('spawn')
    const held = await b.ask('register', 'leader', holder)
    await b.ask('monitor', holder)
    const names = { [all[0].pid]: 'at a', [all[1].pid]: 'at b', [all[2].pid]: 'at c', [holder]: 'holder', ...Object.fromEntries(all.map(({ node, observer }) => [observer, `at ${node.name}`])) }
    const start = Date.now()
    await scene.engine.kill()
    const stories: Record<string, string[]> = {
      a: ['b down', '@exit at b: noconnection', '@link_down at b: noconnection', '@link_down at c: noconnection', 'c down'],
      b: ['a down', '@exit at c: noconnection', '@link_down at c: noconnection', '@link_down at a: noconnection', 'c down', '@exit holder: name_lost'],
      c: ['a down', '@exit at a: noconnection', '@link_down at a: noconnection', '@link_down at b: noconnection', 'b down']
    }
    for (const node of [a, b, c]) {
      const expected = stories[node.name]
      await node.until('the loss of both', (seen) => seen.length >= expected.length)
      t.strictSame(node.story(names).sort(), [...expected].sort(), node.name)
      for (const [i, line] of node.story(names).entries()) {
        const [, other] = /at (.): noconnection/.exec(line) ?? []
        if (other !== undefined) t.ok(node.story(names).indexOf(`${other} down`) < i, `${line}, after the node`)
      }
      t.strictSame(await node.ask('health'), { ready: false, problem: 'engine away' })
    }
    t.notOk(await b.ask('alive', holder))
    const lost = b.seen.find(({ payload }) => payload.reason === 'name_lost')!
    const exit = a.seen.find(({ payload }) => payload.reason === 'noconnection')!
    for (const { node, next } of all) {
      await node.ask('stopLoad')
      t.equal(await node.ask('send', next, 'number', [1e6]), false, 'nothing is taken')
    }
    await pause(Math.max(0, 12_000 - (Date.now() - start)))
    await scene.engine.restart()
    for (const node of [a, b, c]) {
      for (const other of [a, b, c]) if (other !== node) await node.untilNode(other.name, 'up')
      t.strictSame(await node.ask('health'), { ready: true })
    }
    for (const { node, next } of all) {
      // One of the two ends may have to hear yet that the other has buried their channel.
      await node.reach(next)
      t.ok(await node.ask('send', next, 'number', [1e7]))
      const tally = await all.find(({ pid }) => pid === next)!.node.ask('received', next, 1e7)
      t.ok(tally.inOrder, 'its PIDs are good again, and nothing comes late')
    }
    const taken = await c.ask('takeOver', 'leader', all[2].pid)
    t.ok(taken.fence > held.fence)
    for (const node of [a, b, c]) t.equal(node.seen.length, stories[node.name].length + 2, `exactly one exit each: ${node}`)
    return `name lost after ${since(start, lost)}, noconnection on all sides after ${since(start, exit)}; PIDs good again afterwards`
  },

  async 'the engine comes back without its data' (stage) {
    const { t, scene } = stage
    const all = await circle(stage)
    const [a, b, c] = all.map(({ node }) => node)
    const holder = await b.ask('spawn')
    const held = await b.ask('register', 'leader', holder)
    await b.ask('monitor', holder)
    const start = Date.now()
    await scene.fault(3500, async () => {
      await scene.engine.kill()
      await pause(2000)
      await scene.engine.restart(true)
    })
    const refusals = await Promise.all([a, c].map(async (node) => await node.ask('refusal', 'leader', await node.ask('spawn'))))
    for (const { code } of refusals) t.equal(code, 'FST_CLUSTER_NAME_TAKEN')
    const free = await c.ask('takeOver', 'other', all[2].pid)
    for (const node of [a, b, c]) t.strictSame(await node.ask('lookup', 'leader'), held)
    for (const { node, next } of all) await arrived(t, await node.ask('stopLoad'), all.find(({ pid }) => pid === next)!.node, next)
    for (const node of [a, b, c]) t.strictSame(node.story(), [], node.name)
    return `the holder keeps its name, ${refusals.length} others are refused it; a name that was free is given ${since(start, free)} after the kill`
  },

  async 'a node is cut off for 14 s' ({ t, scene, hosts }) {
    const between = await proxy(t, scene.engine.port)
    const a = await scene.node('a', hosts[0])
    const b = await scene.node('b', hosts[1], between.port)
    const c = await scene.node('c', hosts[2])
    const [holder, heir] = [await b.ask('spawn'), await c.ask('spawn')]
    const held = await b.ask('register', 'leader', holder)
    await b.ask('monitor', holder)
    await a.ask('monitor', holder)
    t.equal(await a.ask('call', holder, 'echo', 1), 1)
    scene.forget()
    const start = Date.now()
    between.mode = 'hole'
    const taking = c.ask('takeOver', 'leader', heir)
    const names = { [holder]: 'holder' }
    await b.until('the loss of its name', () => b.story(names).includes('@exit holder: name_lost'))
    const lost = b.seen.find(({ payload }) => payload.reason === 'name_lost')!
    const taken = await taking
    t.ok(lost.at <= taken.at, 'never two at a time')
    t.ok(taken.fence > held.fence)
    t.strictSame(await a.ask('lookup', 'leader'), { pid: heir, fence: taken.fence })
    await a.until('the exit', (seen) => seen.length === 2)
    t.strictSame(a.story(names), ['b down', '@exit holder: noconnection'])
    const exit = a.seen[1]
    await Promise.all([b.untilNode('a', 'down'), b.untilNode('c', 'down')])
    await pause(Math.max(0, 14_000 - (Date.now() - start)))
    between.mode = 'pass'
    await Promise.all([a.untilNode('b', 'up'), b.untilNode('a', 'up'), b.untilNode('c', 'up'), c.untilNode('b', 'up')])
    await a.reach(await b.ask('spawn'))
    t.strictSame(await b.ask('lookup', 'leader'), { pid: heir, fence: taken.fence })
    t.equal((await b.ask('refusal', 'leader', await b.ask('spawn'))).code, 'FST_CLUSTER_NAME_TAKEN')
    t.equal(a.seen.length, 3, a.toString())
    return `its names lost after ${since(start, lost)}, noconnection after ${since(start, exit)}, its name taken over after ${since(start, taken)}`
  }
}
