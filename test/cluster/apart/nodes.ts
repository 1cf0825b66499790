// The nodes of the contract: `a` is in the test's operating-system process, `b` and `c` are in one
// each.
import t from 'tap'
import { sees, stageOf } from './stage.js'
import { createProcesses } from '../../../lib/process/index.js'
import { deferred } from '../../process/helpers.js'
import type { FarNode } from './host.js'
import type { EngineName } from './worker.js'
import type { Loose } from '../../process/helpers.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, ProcessSystem } from '../../../types/processes.js'
import type { SpawnOptions } from '../../../types/options.js'

export interface Nodes { readonly a: ProcessSystem, readonly b: FarNode, readonly c: FarNode }

let joined: Promise<Nodes> | undefined

/** The nodes of a test file. */
export async function nodesOf (engine: EngineName): Promise<Nodes> {
  return await (joined ??= join(engine))
}

async function join (engine: EngineName): Promise<Nodes> {
  const stage = await stageOf(engine)
  const prefix = 'contract'
  const a = createProcesses({ node: 'a', cluster: stage.engine(prefix), closeTimeout: 20 })
  t.teardown(() => a.close())
  const [b, c] = await Promise.all([
    stage.node(stage.hosts[0], 'b', prefix),
    stage.node(stage.hosts[1], 'c', prefix),
    a.ready()
  ])
  await Promise.all([sees(a, ['b', 'c']), b.ask('sees', ['a', 'c']), c.ask('sees', ['a', 'b'])])
  return { a, b, c }
}

/** Starts a process on `a` that waits. @returns its `self` */
export async function started (
  { a }: Nodes,
  options: SpawnOptions<[]> = {}
): Promise<Process<Loose>> {
  const self = deferred<Process<Loose>>()
  a.spawn<Loose, []>(async (given) => {
    self.resolve(given)
    await given.receive({ topic: 'end' })
  }, options)
  return await self.promise
}

/** A PID of a node that no other node knows. */
export const nowhere = '1@nowhere.abc' as Pid

/** @returns the PID of a process of a node that has ended */
export async function dead (node: FarNode): Promise<Pid> {
  const { pid, exited } = await node.spawn()
  await node.ask('system', 'exit', pid)
  await exited
  return pid
}

/** Starts a process on `a` that answers `echo`. */
export function echo ({ a }: Nodes): Pid {
  return a.spawn<Loose, []>((self) => self.serve({ echo: (value, { reply }) => { reply(value) } }))
}

export type Tap = typeof t
/** Adds a test of the contract, with its title. */
export type Sentence = (text: string, body: (t: Tap, nodes: Nodes) => Promise<void>) => void
