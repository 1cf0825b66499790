// Starts the targets of the connection suites, and other users of the connections, on this node or
// on other nodes. The environment variable TARGETS chooses:
// - unset: everything in one runtime;
// - `elsewhere`: targets and other users on their own nodes, in this operating-system process;
// - `memory`, `nats`, `redis`: the same with one operating-system process for each of three nodes.
import { sees, stageOf } from '../../cluster/apart/stage.js'
import { TestCluster } from '../../cluster/nodes.js'
import type { Stage } from '../../cluster/apart/stage.js'
import type { FarNode, FarProcess } from '../../cluster/apart/host.js'
import type { EngineName } from '../../cluster/apart/worker.js'
import type { Test } from 'tap'
import type { ClusterEngine } from '../../../types/cluster.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, Processes } from '../../../types/processes.js'
import type { WsRelayOptions } from '../../../types/relay.js'

/** A recorded message. */
export interface Kept { topic: string, payload: any, from: Pid | undefined }

export interface HomeOptions {
  /** Whether it monitors each client that joins. */
  readonly monitors: boolean
  readonly mailboxLimit?: number
  /** Called with each message. A local process awaits it before the next message. */
  take (kept: Kept): unknown
}

/** A process that reads its messages. */
export interface Home {
  readonly pid: Pid
  readonly exited: Promise<Exit>
  /** Lets it read at most one more message until {@link release}. */
  hold (): void
  release (): void
  alive (): boolean | Promise<boolean>
  /** The length of its mailbox. */
  mailbox (): number | Promise<number>
  /** Resolves when it has read all messages from the node of the sockets, or has ended. */
  idle (): Promise<void>
  /** Resolves when the node of the connection has received all earlier frames of its node. */
  reaches (connection: Pid): Promise<void>
}

/**
 * Other users of the connections. Their operations resolve when they took effect, because they have
 * no order with operations of the node of the sockets.
 */
export interface Others {
  send(to: Pid, topic: string, payload?: unknown): boolean | Promise<boolean>
  call(to: Pid, topic: string, payload?: unknown): Promise<unknown>
  exit(to: Pid, reason?: string): boolean | Promise<boolean>
  cancel(to: Pid, reason?: string): boolean | Promise<boolean>
  /** Monitors a connection. Resolves when the monitor is in place. */
  watch(pid: Pid): Promise<{ readonly exit: Promise<Exit> }>
  /** Starts a process that is linked with a connection. */
  linked(
    to: Pid
  ): Promise<{
    readonly pid: Pid
    readonly exited: Promise<Exit>
    fail(): unknown
    exit(reason: string): unknown
  }>
}

/** The nodes of a rig, apart from the node of its sockets. */
export interface Neighbours {
  readonly engine: ClusterEngine
  /** The name of the node of the sockets. */
  readonly node: string
  /** Resolves when all nodes see each other. */
  meet (sockets: Processes): Promise<void>
  home (options: HomeOptions): Home
  others: Others
}

/** Resolves when the targets' node has received all earlier frames of the sockets' node. */
type Barrier = () => Promise<void>

/** A process in this operating-system process. With a barrier it is on another node. */
export class NearHome implements Home {
  readonly pid: Pid
  readonly exited: Promise<Exit>
  readonly #processes: Processes
  readonly #barrier: Barrier | undefined
  #held: Promise<void> | undefined
  #release = (): void => {}

  constructor (
    processes: Processes,
    { monitors, mailboxLimit, take }: HomeOptions,
    barrier?: Barrier
  ) {
    const home = this
    this.#processes = processes
    this.#barrier = barrier
    this.pid = processes.spawn(
      async function keeper_ (self) {
        for await (const { topic, payload, from } of self.inbox as AsyncIterable<Kept>) {
          if (topic === 'ws.join' && monitors) await home.#monitor(self, payload.client_pid)
          // Awaits only promises, so that messages are read as fast as possible.
          const result = take({ topic, payload, from })
          if (result !== undefined) await result
          if (home.#held !== undefined) await home.#held
        }
      },
      { mailboxLimit }
    )
    this.exited = processes.exited(this.pid)
  }

  /** A remote monitor is in place when a later request was answered. */
  #monitor (self: Process<any>, client: Pid): Promise<void> | void {
    self.monitor(client)
    if (this.#barrier !== undefined) return reaches(self, client)
  }

  hold (): void {
    this.#held ??= new Promise((resolve) => {
      this.#release = resolve
    })
  }

  release (): void {
    this.#held = undefined
    this.#release()
  }

  alive (): boolean {
    return this.#processes.alive(this.pid)
  }

  mailbox (): number {
    return this.#processes.info(this.pid)?.mailbox ?? 0
  }

  async idle (): Promise<void> {
    await this.#barrier?.()
    while (this.mailbox() > 0) await new Promise(setImmediate)
    await new Promise(setImmediate)
  }

  async reaches (connection: Pid): Promise<void> {
    if (this.#barrier !== undefined) await reaches(this.#processes, connection)
  }
}

async function reaches (who: Pick<Processes, 'call'>, connection: Pid): Promise<void> {
  await who.call(connection as string, 'ws.control', {}).catch(() => {})
}

/** Other users in this operating-system process. `away`: on another node. */
export function nearOthers (processes: Processes, away = false): Others {
  return {
    send: (to, topic, payload) => processes.send(to as string, topic, payload),
    call: (to, topic, payload) => processes.call(to as string, topic, payload),
    exit: (to, reason) => processes.exit(to, reason),
    cancel: (to, reason) => processes.cancel(to, reason),
    async watch (pid) {
      const exit = processes.exited(pid)
      if (away) await reaches(processes, pid)
      return { exit }
    },
    async linked (to) {
      const pid = processes.spawn<{ fail: undefined }, []>(async (self) => {
        await self.receive({ topic: 'fail' })
        throw new Error('secret')
      }, { link: to })
      if (away) await reaches(processes, to)
      return {
        pid,
        exited: processes.exited(pid),
        fail: () => processes.send(pid as string, 'fail'),
        exit: (reason) => processes.exit(pid, reason)
      }
    }
  }
}

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
  if (mode === 'elsewhere') return await inThisProcess(t, options)
  throw new Error(`TARGETS is none of elsewhere, memory, nats and redis, but '${mode}'`)
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

/**
 * Targets that are spawned in advance, because a PID of another process is not available at once.
 */
const spare = 24

/** The nodes of a test file. Its rigs share them, because starting a process takes a second. */
class Neighbourhood {
  readonly #stage: Stage
  readonly #prefix = 'fwr'
  readonly #targets = new Map<string, Promise<FarNode>>()
  readonly others: FarNode
  #rigs = 0

  private constructor (stage: Stage, others: FarNode) {
    this.#stage = stage
    this.others = others
  }

  static async open (engine: EngineName): Promise<Neighbourhood> {
    const stage = await stageOf(engine)
    return new Neighbourhood(stage, await stage.node(stage.hosts[1], 'others', 'fwr'))
  }

  engine (): { engine: ClusterEngine, node: string } {
    return { engine: this.#stage.engine(this.#prefix), node: `sockets-${++this.#rigs}` }
  }

  /** Returns a node with these limits, because mailboxes have the limits of their node. */
  async targets (options: { mailboxLimit?: number, mailboxBytes?: number }): Promise<FarNode> {
    const key = JSON.stringify(options)
    const node =
      this.#targets.get(key) ??
      this.#stage.node(
        this.#stage.hosts[0],
        `targets-${this.#targets.size + 1}`,
        this.#prefix,
        options
      )
    this.#targets.set(key, node)
    return await node
  }
}

let neighbourhood: Promise<Neighbourhood> | undefined

async function inOthers (
  t: Test,
  engine: EngineName,
  { mailboxLimit, mailboxBytes }: WsRelayOptions
): Promise<Neighbours> {
  const around = await (neighbourhood ??= Neighbourhood.open(engine))
  const { others } = around
  const { engine: joining, node } = around.engine()
  const targets = await around.targets({ mailboxLimit, mailboxBytes })
  const free = await Promise.all(Array.from({ length: spare }, () => targets.spawn()))
  const taken = new Set<FarProcess>(free)
  const last = free.pop()!
  let here: Processes
  const barrier = async (): Promise<void> => {
    await here.call(last.pid as string, 'echo')
  }
  t.teardown(async () => {
    await Promise.all([...taken].map((one) => one.exit('kill')))
  })
  return {
    engine: joining,
    node,
    async meet (sockets) {
      here = sockets
      await Promise.all([
        sees(sockets, [targets.name, others.name]),
        targets.ask('sees', [node]),
        others.ask('sees', [node])
      ])
    },
    home (options) {
      const far = free.shift()
      if (far === undefined) {
        throw new Error('no target is left: they are taken faster than they are made')
      }
      targets.spawn().then(
        (one) => {
          taken.add(one)
          free.push(one)
        },
        () => {}
      )
      return new FarHome(far, targets, options, barrier)
    },
    others: farOthers(others)
  }
}

class FarHome implements Home {
  readonly pid: Pid
  readonly exited: Promise<Exit>
  readonly #far: FarProcess
  readonly #node: FarNode
  readonly #barrier: Barrier

  constructor (
    far: FarProcess,
    node: FarNode,
    { monitors, mailboxLimit, take }: HomeOptions,
    barrier: Barrier
  ) {
    if (mailboxLimit !== undefined) {
      throw new Error('the mailboxes of another process have the limits of their node')
    }
    this.#far = far
    this.#node = node
    this.#barrier = barrier
    this.pid = far.pid
    this.exited = far.exited
    far.onMail = take
    this.#told(far.configure(monitors))
  }

  /**
   * Commands run in order. A failed command is ignored here: the test that needs its effect fails.
   */
  #told (command: Promise<void>): void {
    command.catch(() => {})
  }

  hold (): void {
    this.#told(this.#far.hold())
  }

  release (): void {
    this.#told(this.#far.release())
  }

  async alive (): Promise<boolean> {
    return await this.#far.alive()
  }

  async mailbox (): Promise<number> {
    return await this.#far.mailbox()
  }

  async idle (): Promise<void> {
    await this.#barrier()
    await this.#far.idle()
  }

  async reaches (connection: Pid): Promise<void> {
    await this.#node.ask('reaches', connection)
  }
}

function farOthers (node: FarNode): Others {
  return {
    send: (to, topic, payload) => node.ask('system', 'send', to, topic, payload),
    call: (to, topic, payload) => node.ask('system', 'call', to, topic, payload),
    exit: (to, reason) => node.ask('system', 'exit', to, reason),
    cancel: (to, reason) => node.ask('system', 'cancel', to, reason),
    watch: (pid) => node.watch(pid),
    async linked (to) {
      const one = await node.spawn({ link: to })
      await node.ask('reaches', to)
      return {
        pid: one.pid,
        exited: one.exited,
        fail: () => node.ask('system', 'send', one.pid, 'throw'),
        exit: (reason) => one.exit(reason)
      }
    }
  }
}
