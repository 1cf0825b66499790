// Two nodes with bindings between them: a connection on one, its target on the other.
import { Pair } from '../fixtures/pair.js'
import { targetOf, watcher } from '../support.js'
import { RemoteCalls } from '../../../lib/cluster/remote/remote-calls.js'
import { RemoteBindings } from '../../../lib/cluster/remote/remote-bindings.js'
import type { BindResult, RemoteNodes } from '../../../lib/process/remote/remote-nodes.js'
import type { Target } from '../../../lib/process/entity.js'
import type { Pid } from '../../../types/pid.js'

interface Bound {
  nodes: Pair<RemoteBindings>
  /** A process of `b`. */
  target: Pid
  /** A connection of `a`. */
  client: Pid
}

export function make (): Bound {
  const nodes = new Pair((hub) => {
    const bindings: RemoteBindings = new RemoteBindings(hub, hub, {
      unwatch: (target: Pid, who: never) => {
        bindings.unbind(target, who)
      }
    } as unknown as RemoteNodes, new RemoteCalls(hub))
    return bindings
  })
  return { nodes, target: nodes.b.local.spawn(), client: nodes.a.local.spawn() }
}

/** Binds from `a`. Delivers all frames in flight before it awaits the answer. */
export async function bind (
  { nodes }: Bound,
  target: Pid,
  who = watcher()
): Promise<BindResult> {
  const answer = nodes.a.unit.bind(target, who)
  nodes.deliverAll()
  return await answer
}

export interface Connected extends Bound {
  at: Target
  who: ReturnType<typeof watcher>
}

export async function connected (): Promise<Connected> {
  const bound = make()
  const who = watcher()
  return { ...bound, who, at: targetOf(await bind(bound, bound.target, who)) }
}
