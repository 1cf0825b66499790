// Where the targets of the suites live, and who else uses their connections: here, or on other nodes.
// TARGETS says which:
// - unset: all in one process system;
// - `elsewhere`: targets, and others, on nodes of their own in this operating-system process;
// - `memory`, `nats`, `redis`: the same in operating-system processes of their own, three in all.
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

/** A message as it was kept. */
export interface Kept { topic: string, payload: any, from: Pid | undefined }

export interface HomeOptions {
  /** It monitors each client that joins. */
  readonly monitors: boolean
  readonly mailboxLimit?: number
  /** Given each message. Awaited, where the process is in this one, before the next is taken. */
  take (kept: Kept): unknown
}

/** A process that takes mail. */
export interface Home {
  readonly pid: Pid
  readonly exited: Promise<Exit>
  /** Takes at most one more message, until {@link release}. */
  hold (): void
  release (): void
  alive (): boolean | Promise<boolean>
  /** Messages that wait. */
  mailbox (): number | Promise<number>
  /** Resolves when it has taken what was sent to it from the node of the sockets, or has ended. */
  idle (): Promise<void>
  /** Resolves when what its node has told that of a connection is known there. */
  reaches (connection: Pid): Promise<void>
}

/** Who else uses connections. What has no order with the sockets' own node is waited for. */
export interface Others {
  send(to: Pid, topic: string, payload?: unknown): boolean | Promise<boolean>
  call(to: Pid, topic: string, payload?: unknown): Promise<unknown>
  exit(to: Pid, reason?: string): boolean | Promise<boolean>
  cancel(to: Pid, reason?: string): boolean | Promise<boolean>
  /** Tells of an end. Resolves when the monitor is in place. */
  watch(pid: Pid): Promise<{ readonly exit: Promise<Exit> }>
  /** A process that is linked with a connection, and what became of it. */
  linked(
    to: Pid
  ): Promise<{
    readonly pid: Pid
    readonly exited: Promise<Exit>
    fail(): unknown
    exit(reason: string): unknown
  }>
}

/** The nodes of a rig beside that of its sockets. */
export interface Neighbours {
  readonly engine: ClusterEngine
  /** Of the node of the sockets. */
  readonly node: string
  /** Resolves when all of them see each other. */
  meet (sockets: Processes): Promise<void>
  home (options: HomeOptions): Home
  others: Others
}

/** Resolves when all has arrived that was under way from the sockets' node to that of the targets. */
type Barrier = () => Promise<void>

/** A process of this operating-system process: with a barrier, on another node than the sockets. */
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
          // Only what is asynchronous is awaited: mail is taken as fast as it can be.
          const result = take({ topic, payload, from })
          if (result !== undefined) await result
          if (home.#held !== undefined) await home.#held
        }
      },
      { mailboxLimit }
    )
    this.exited = processes.exited(this.pid)
  }

  /** From another node it is in place when what was sent behind it has an answer. */
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

/** Others of this operating-system process. */
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
  // Who says what its node is called, or what cluster it is in, has a reason.
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

/** As many targets are there before they are asked for: a PID of another process is not made at once. */
const spare = 24

/** The nodes of a test file, which its rigs share: starting an operating-system process takes a second. */
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

  /** Mailboxes have the limits of their node. */
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

  /** Commands are obeyed in their order. One that fails makes the test fail that waits for what it does. */
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
