import { toError } from '../../errors.js'
import { readRequest } from '../requests.js'
import { Sampler } from '../sampler/sampler.js'
import { openView } from '../views/open.js'
import { agentGroup } from './discovery.js'
import { startSupervisor } from '../../process/supervisor/supervisor.js'
import type { Runtime } from '../../process/runtime.js'
import type { Watch } from '../requests.js'
import type { Body, OpenView } from '../views/view.js'
import type { Call, Monitor, Pid } from '../../../types/pid.js'
import type { Process, ProcessBody } from '../../../types/processes.js'

/** Asks for the next answer of a view. */
export interface RemoteRequest {
  /** The request of the page, as JSON. */
  readonly request: string
  /** Tells the views of one viewer apart. */
  readonly key: number
}

/** The answer of an agent: the body of a view, or why there is none. */
export type RemoteAnswer =
  | { readonly body: Body, readonly at: number }
  | { readonly problem: { readonly code: string, readonly message: string } }

/** The topics of an agent. */
export type AgentTopics = {
  'dashboard.next': Call<RemoteRequest, RemoteAnswer>
  'dashboard.close': { readonly key: number }
}

const agentSupervisor = 'fastify-ws-relay/dashboard'
const agents = new WeakSet<Runtime>()

/**
 * Starts the agent of this node, unless it has one, or no cluster. If the engine does not confirm
 * its membership, it tries again.
 * @throws `FST_CLUSTER_NOT_READY`, `FST_PROCESS_CLOSING`
 */
export function startAgent (runtime: Runtime): void {
  runtime.checkOpen()
  if (runtime.clusterAccess.cluster === undefined || agents.has(runtime)) return
  agents.add(runtime)
  const start = dashboardAgent as unknown as ProcessBody
  startSupervisor(runtime, {
    name: agentSupervisor,
    backoff: { initial: '1s', max: '30s' },
    children: [{ id: 'agent', start, args: [runtime], restart: 'transient' }]
  })
}

/** The views of one viewer of another node. */
class RemoteViewer {
  readonly monitor: Monitor
  readonly #runtime: Runtime
  readonly #leave: () => void
  readonly #views = new Map<number, OpenView>()

  constructor (runtime: Runtime, monitor: Monitor) {
    this.#runtime = runtime
    this.monitor = monitor
    this.#leave = Sampler.of(runtime).addViewer()
  }

  async next ({ request, key }: RemoteRequest): Promise<RemoteAnswer> {
    try {
      let view = this.#views.get(key)
      if (view === undefined) {
        const read = readRequest(request)
        if ('error' in read) throw read.error
        const { watch } = read as { watch: Watch }
        view = openView({ runtime: this.#runtime, sampler: Sampler.of(this.#runtime) }, watch)
        this.#views.set(key, view)
      }
      return { body: await view.next(), at: Date.now() }
    } catch (err) {
      const { code, message } = toError(err) as Error & { code?: string }
      return { problem: { code: String(code), message } }
    }
  }

  /** @returns whether it has no view any more */
  close (key: number): boolean {
    this.#views.get(key)?.close?.()
    this.#views.delete(key)
    return this.#views.size === 0
  }

  leave (): void {
    for (const key of [...this.#views.keys()]) this.close(key)
    this.#leave()
  }
}

/** The body of an agent. */
async function dashboardAgent (self: Process<AgentTopics>, runtime: Runtime): Promise<void> {
  const viewers = new Map<Pid, RemoteViewer>()
  const leave = (pid: Pid): void => {
    viewers.get(pid)?.leave()
    viewers.delete(pid)
  }
  await self.cluster!.groups.join(agentGroup, self.pid)
  await self.serve({
    'dashboard.next': (request, { from, reply, fail }) => {
      if (from === undefined) return
      let viewer = viewers.get(from)
      if (viewer === undefined) {
        viewers.set(from, viewer = new RemoteViewer(runtime, self.monitor(from)))
      }
      // Not awaited: other viewers are served meanwhile.
      viewer.next(request).then(reply, fail)
    },
    'dashboard.close': ({ key }, { from }) => {
      const viewer = from === undefined ? undefined : viewers.get(from)
      if (viewer === undefined || !viewer.close(key)) return
      self.demonitor(viewer.monitor)
      leave(from!)
    },
    '@exit': ({ pid }) => { leave(pid) }
  })
  for (const pid of [...viewers.keys()]) leave(pid)
}
