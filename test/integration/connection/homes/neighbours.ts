// Starts the targets of the connection suites, and other users of the connections, on this node or
// on other nodes. The environment variable TARGETS chooses:
// - unset: everything in one runtime;
// - `remote`: targets and other users on their own nodes, in this operating-system process;
// - `memory`, `nats`, `redis`: the same with one operating-system process for each of three nodes.
import { sees } from '../../../cluster/apart/stage.js'
import { TestCluster } from '../../../cluster/nodes.js'
import { NearHome, nearOthers } from './homes.js'
import { inOthers } from './remote-homes.js'
import type { EngineName } from '../../../cluster/apart/worker.js'
import type { Test } from 'tap'
import type { Processes } from '../../../../types/processes.js'
import type { WsRelayOptions } from '../../../../types/relay.js'
import type { Neighbours } from './homes.js'

const { TARGETS: mode } = process.env

/** Whether the targets live on another node. */
export const away = mode !== undefined

/** Whether the targets live in another operating-system process. */
export const apart = mode === 'memory' || mode === 'nats' || mode === 'redis'

export async function neighbours (
  t: Test,
  options: WsRelayOptions
): Promise<Neighbours | undefined> {
  // A test that chooses its node or cluster is not changed.
  if (mode === undefined || options.cluster !== undefined || options.node !== undefined) {
    return undefined
  }
  if (apart) return await inOthers(t, mode as EngineName, options)
  if (mode === 'remote') return await inThisProcess(t, options)
  throw new Error(`TARGETS is none of remote, memory, nats and redis, but '${mode}'`)
}

async function inThisProcess (
  t: Test,
  { mailboxLimit, mailboxBytes }: WsRelayOptions
): Promise<Neighbours> {
  const cluster = new TestCluster(t)
  const targets = await cluster.node('targets', { mailboxLimit, mailboxBytes })
  const others = await cluster.node('others')
  const last = targets.spawn<{ echo: undefined }, []>((self) =>
    self.serve({
      echo: (_, { reply }) => {
        reply()
      }
    })
  )
  let here: Processes
  const barrier = async (): Promise<void> => {
    await here.call(last as string, 'echo')
  }
  return {
    engine: cluster.engine(),
    node: 'sockets',
    async meet (sockets) {
      here = sockets
      await Promise.all([
        sees(sockets, ['targets', 'others']),
        sees(targets, ['sockets']),
        sees(others, ['sockets'])
      ])
    },
    home: (options) => new NearHome(targets, options, barrier),
    others: nearOthers(others, true)
  }
}
