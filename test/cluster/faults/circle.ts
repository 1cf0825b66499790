// Three nodes with load, monitors, links, sockets and a group, for the rows about the engine.
import assert from 'node:assert/strict'
import { arrived, type Stage } from './rows/row.js'
import type { Client } from './client.js'
import type { TestNode } from './host.js'
import type { Joining } from './worker-node.js'
import type { Pid } from '../../../types/pid.js'

/** A node of the circle, and the process of the next node that it sends to. */
export interface Arc {
  readonly node: TestNode
  readonly pid: Pid
  readonly observer: Pid
  readonly next: { readonly node: TestNode, readonly pid: Pid }
  /** A client of this node whose target is the process of the next node. */
  readonly client: Client
}

/**
 * Starts three nodes. Each sends numbers to a process of the next node and monitors it. Observers
 * are linked. The first node also broadcasts to the group of these processes.
 */
export async function circle (
  { scene, hosts }: Stage,
  engines: Array<Joining['options']> = [{}, {}, {}]
): Promise<[Arc, Arc, Arc]> {
  const nodes: TestNode[] = []
  for (const [i, name] of ['a', 'b', 'c'].entries()) {
    nodes.push(await scene.node(name, hosts[i], undefined, engines[i]))
  }
  const pids = await Promise.all(nodes.map((node) => node.ask('spawn')))
  const observers = await Promise.all(nodes.map((node) => node.ask('observer')))
  await Promise.all(nodes.map((node, i) => node.ask('join', 'news', pids[i])))
  const arcs = await Promise.all(
    nodes.map(async (node, i) => {
      const after = (i + 1) % 3
      const next = { node: nodes[after], pid: pids[after] }
      await node.ask('monitor', next.pid)
      await node.ask('link', observers[after])
      await node.ask('startLoad', next.pid, ...(i === 0 ? ['news'] : []))
      return {
        node,
        pid: pids[i],
        observer: observers[i],
        next,
        client: await scene.client(node, next.pid)
      }
    })
  )
  await Promise.all(arcs.map(({ node, pid }) => node.ask('received', pid, 100)))
  scene.forget()
  return arcs as [Arc, Arc, Arc]
}

/**
 * Asserts that no user noticed the fault, except for missed broadcasts.
 * @returns the observations, for the table
 */
export async function unharmed (arcs: readonly Arc[]): Promise<string> {
  let messages = 0
  let refused = 0
  const loads = await Promise.all(arcs.map(({ node }) => node.ask('stopLoad')))
  for (const [i, { next }] of arcs.entries()) {
    await arrived(loads[i], next.node, next.pid)
    messages += loads[i].accepted
    refused += loads[i].refused
  }
  for (const { node, client } of arcs) {
    client.sendNext()
    await client.untilEchoed()
    const problem = client.end ?? client.received.join()
    assert.ok(client.undisturbed, `a socket of ${node.name}: ${problem}`)
    assert.deepEqual(node.story(), [], node.name)
  }
  const news = await broadcasts(arcs, loads[0].broadcast)
  return `no effect: of ${messages} messages 0 lost, 0 duplicated, in order, ${refused} refused; ` +
    news
}

/**
 * Asserts that each broadcast arrived at most once and in order, and that the next one reaches all.
 * @returns the observations, for the table
 */
export async function broadcasts (arcs: readonly Arc[], before: number): Promise<string> {
  const [first, ...others] = arcs
  const all = before + 1
  const { members, missing } = await first.node.ask('members', 'news')
  assert.deepEqual([members.sort(), missing], [arcs.map(({ pid }) => pid).sort(), []])
  assert.ok(await first.node.ask('broadcast', 'news', all))
  assert.deepEqual(
    await first.node.ask('received', first.pid, all, 'news'),
    { count: all, last: all, inOrder: true },
    'the sending node received all'
  )
  const missed = await Promise.all(others.map(async ({ node, pid }) => {
    const { count, last, inOrder } = await node.ask('received', pid, all, 'news')
    assert.ok(inOrder && last === all && count <= all, `${count} of ${all}, in order, once`)
    return all - count
  }))
  return `of ${all} broadcasts the others missed ${missed.join(' and ')}`
}
