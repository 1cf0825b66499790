// The scene of a row of the fault table: an engine of its own, and nodes in operating-system
// processes. A row shares processes with other rows if it neither freezes nor kills them.
import { Client } from './client.js'
import { within, type Host, type TestNode } from './host.js'
import { natsServer, redisServer, type EngineServer } from '../fixtures/servers.js'
import { nats } from '../../../lib/cluster/engines/nats.js'
import { redis } from '../../../lib/cluster/engines/redis.js'
import type { Joining } from './worker-node.js'
import type { Test } from 'tap'
import type { Pid } from '../../../types/pid.js'
import type { ClusterTransport } from '../../../types/cluster.js'

/** The machine was too slow, so a different fault happened than the row describes. */
export class TooSlow extends Error {}

export type EngineName = Joining['engine']

/** A longer stall of a process is a fault of its own. A shorter one must have no effect. */
const longestStall = 1500

/** A program that is no node, but publishes and subscribes below the prefix. */
export interface Stranger {
  /** Bytes of the longest frame that the engine accepts. */
  readonly maxFrame: number
  publish (topic: string, bytes: Uint8Array): Promise<void>
  listen (topic: string, listener: (bytes: Uint8Array) => void): Promise<void>
  /** Resolves when it has received everything that the engine had until now. */
  caughtUp (): Promise<void>
}

/** A row's engine and nodes. */
export class Scene {
  readonly engine: EngineServer
  readonly #name: EngineName
  readonly #prefix: string
  readonly #start = Date.now()
  readonly #hosts = new Set<Host>()
  readonly #nodes: TestNode[] = []
  #made = 0
  readonly #clients: Client[] = []
  readonly #ports = new Map<TestNode, Promise<number>>()
  readonly #strangers: ClusterTransport[] = []

  private constructor (name: EngineName, engine: EngineServer, prefix: string) {
    this.#name = name
    this.engine = engine
    this.#prefix = prefix
  }

  static async open (t: Test, name: EngineName, prefix: string): Promise<Scene> {
    const scene = new Scene(name, await (name === 'nats' ? natsServer(t) : redisServer(t)), prefix)
    await scene.#settle()
    return scene
  }

  /** Marks the register as one that has lost nothing, so that names are granted at once. */
  async #settle (): Promise<void> {
    const transport = this.#transport()
    await transport.open({ state () {} })
    await transport.cas(
      `${this.#prefix}.generation`,
      Buffer.from(JSON.stringify({ id: 'first', settled: true, base: 1 })),
      0
    )
    await transport.close()
  }

  #transport (): ClusterTransport {
    const { port } = this.engine
    const { transport } =
      this.#name === 'nats'
        ? nats({ servers: `127.0.0.1:${port}`, prefix: this.#prefix })
        : redis({ host: '127.0.0.1', port, prefix: this.#prefix })
    return transport
  }

  /**
   * Starts a node, and waits until it and all nodes that are not frozen see each other.
   * @param port of the engine, or of a proxy before it
   */
  async node (
    name: string,
    host: Host,
    port = this.engine.port,
    engine: Joining['options'] = {}
  ): Promise<TestNode> {
    this.#hosts.add(host)
    const node = await host.join(`${this.engine.port}/${this.#prefix}/${name}/${this.#made++}`, {
      node: name,
      engine: this.#name,
      port,
      prefix: this.#prefix,
      options: engine
    })
    const others = this.#nodes.filter((other) => !other.host.isStopped && other.name !== name)
    await Promise.all(
      others.map(async (other) => {
        await other.until(`${name} up`, () => other.stateOf(name) === 'up')
        await node.until(`${other.name} up`, () => node.stateOf(other.name) === 'up')
      })
    )
    this.#nodes.push(node)
    return node
  }

  /** Closes a node as a deployment does, and starts it again. */
  async restart (node: TestNode, host: Host): Promise<TestNode> {
    await node.ask('close')
    this.#nodes.splice(this.#nodes.indexOf(node), 1)
    return await this.node(node.name, host)
  }

  get prefix (): string {
    return this.#prefix
  }

  /** Opens a socket to a node, with a process as its target. */
  async client (node: TestNode, target: Pid): Promise<Client> {
    let port = this.#ports.get(node)
    if (port === undefined) this.#ports.set(node, (port = node.ask('listen')))
    const client = await Client.open(await port, target)
    this.#clients.push(client)
    client.sendNext()
    await client.untilEchoed()
    return client
  }

  /** Clears the events seen so far: later ones are effects of the fault. */
  forget (): void {
    for (const { seen } of this.#nodes) seen.length = 0
  }

  /**
   * Runs a fault. It must end within `longest` milliseconds, and no process may stall by itself.
   * @throws TooSlow
   */
  async fault (longest: number, fault: () => Promise<void>): Promise<void> {
    const start = Date.now()
    await fault()
    const lasted = Date.now() - start
    if (lasted > longest) throw new TooSlow(`the fault lasted ${lasted} ms`)
    await this.checkMachine(start)
  }

  /** @throws TooSlow when a process has stalled that the test did not stall */
  async checkMachine (since = this.#start): Promise<void> {
    const stalls = await Promise.all([...this.#hosts].map((host) => host.longestStall(since)))
    const longest = Math.round(Math.max(...stalls))
    if (longest > longestStall) throw new TooSlow(`a process stood still for ${longest} ms`)
  }

  /** Connects a program that is no node. */
  async stranger (): Promise<Stranger> {
    // NATS does not send a frame back to its own connection, so another one listens.
    const [transport, listening] = [this.#transport(), this.#transport()]
    this.#strangers.push(transport, listening)
    await Promise.all([transport, listening].map((one) => one.open({ state () {} })))
    const publish = async (topic: string, bytes: Uint8Array): Promise<void> => {
      if (!transport.publish(`${this.#prefix}.${topic}`, bytes)) {
        throw new Error('the engine did not accept it')
      }
      await transport.flush(60_000)
    }
    const listen = async (topic: string, listener: (bytes: Uint8Array) => void): Promise<void> => {
      await listening.subscribe(`${this.#prefix}.${topic}`, listener)
    }
    let echoed = (): void => {}
    await listen('echo', () => {
      echoed()
    })
    return {
      maxFrame: transport.caps.maxFrame,
      publish,
      listen,
      caughtUp: async () => {
        const echo = new Promise<void>((resolve) => {
          echoed = resolve
        })
        await publish('echo', new Uint8Array())
        await within(echo, () => 'a stranger does not receive its own frames')
      }
    }
  }

  async close (): Promise<void> {
    for (const client of this.#clients) client.terminate()
    await Promise.all(this.#strangers.map((transport) => transport.close()))
    await Promise.all(
      this.#nodes.filter(({ host }) => !host.isStopped).map((node) => node.ask('close'))
    )
  }
}
