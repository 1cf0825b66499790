// Target processes in operating-system processes of their own.
import { sees, stageOf } from '../../../cluster/apart/stage.js'
import type { Stage } from '../../../cluster/apart/stage.js'
import type { FarNode, FarProcess } from '../../../cluster/apart/host.js'
import type { EngineName } from '../../../cluster/apart/worker.js'
import type { Test } from 'tap'
import type { ClusterEngine } from '../../../../types/cluster.js'
import type { Exit } from '../../../../types/messages.js'
import type { Pid } from '../../../../types/pid.js'
import type { Processes } from '../../../../types/processes.js'
import type { WsRelayOptions } from '../../../../types/relay.js'
import type { Barrier, Home, HomeOptions, Neighbours, Others } from './homes.js'

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

export async function inOthers (
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
