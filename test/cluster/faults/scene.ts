// What a row of the fault table is played on: an engine of its own, and nodes in operating-system
// processes of their own or shared with other rows, which they do not disturb.
import { Client } from './client.js'
import { within, type Host, type TestNode } from './host.js'
import { natsServer, redisServer, type EngineServer } from '../fixtures/servers.js'
import { nats } from '../../../lib/cluster/engines/nats.js'
import { redis } from '../../../lib/cluster/engines/redis.js'
import type { Joining } from './worker-node.js'
import type { Test } from 'tap'
import type { Pid } from '../../../types/pid.js'
import type { Transport } from '../../../types/cluster.js'

/** The machine was too slow for the fault that was meant: another happened. */
export class TooSlow extends Error {}

export type EngineName = Joining['engine']

/** A process that stood still for longer, by itself, is a fault of its own: less than that nobody may notice. */
const longestStall = 1500

/** Who publishes and listens below the prefix, and is no node. */
export interface Stranger {
  /** Bytes of what the engine takes at most. */
  readonly maxFrame: number
  publish (topic: string, bytes: Uint8Array): Promise<void>
  listen (topic: string, listener: (bytes: Uint8Array) => void): Promise<void>
  /** Resolves when it has heard everything that the engine had until now. */
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
  readonly #strangers: Transport[] = []

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

  /** Makes the register one that is known to have lost nothing: names are granted at once. */
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

  #transport (): Transport {
    const { port } = this.engine
    const { transport } =
      this.#name === 'nats'
        ? nats({ servers: `127.0.0.1:${port}`, prefix: this.#prefix })
        : redis({ host: '127.0.0.1', port, prefix: this.#prefix })
    return transport
  }

  /** A node that has joined, and is seen by all others that are not still. @param port where it thinks the engine is */
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
    const others = this.#nodes.filter((other) => !other.host.still && other.name !== name)
    await Promise.all(
      others.map(async (other) => {
        await other.until(`${name} up`, () => other.stateOf(name) === 'up')
        await node.until(`${other.name} up`, () => node.stateOf(other.name) === 'up')
      })
    )
    this.#nodes.push(node)
    return node
  }

  /** Closes a node as a deploy does, and starts it again. */
  async restart (node: TestNode, host: Host): Promise<TestNode> {
    await node.ask('close')
    this.#nodes.splice(this.#nodes.indexOf(node), 1)
    return await this.node(node.name, host)
  }

  get prefix (): string {
    return this.#prefix
  }

  /** A user of a node, with a socket to a process. */
  async client (node: TestNode, target: Pid): Promise<Client> {
    let port = this.#ports.get(node)
    if (port === undefined) this.#ports.set(node, (port = node.ask('listen')))
    const client = await Client.open(await port, target)
    this.#clients.push(client)
    client.say()
    await client.answered()
    return client
  }

  /** From here on only what a fault brings is seen. */
  forget (): void {
    for (const { seen } of this.#nodes) seen.length = 0
  }

  /**
   * A fault that must not last longer than so many milliseconds, nor find a process that stands still by itself.
   * @throws TooSlow
   */
  async fault (longest: number, fault: () => Promise<void>): Promise<void> {
    const start = Date.now()
    await fault()
    const lasted = Date.now() - start
    if (lasted > longest) throw new TooSlow(`the fault lasted ${lasted} ms`)
    await this.checkMachine(start)
  }

  /** @throws TooSlow when a process stood still that nobody told to */
  async checkMachine (since = this.#start): Promise<void> {
    const stalls = await Promise.all([...this.#hosts].map((host) => host.longestStall(since)))
    const longest = Math.round(Math.max(...stalls))
    if (longest > longestStall) throw new TooSlow(`a process stood still for ${longest} ms`)
  }

  /** Somebody else, who can reach the engine. */
  async stranger (): Promise<Stranger> {
    // NATS does not send to a connection what it has published: another one listens.
    const [transport, listening] = [this.#transport(), this.#transport()]
    this.#strangers.push(transport, listening)
    await Promise.all([transport, listening].map((one) => one.open({ state () {} })))
    const publish = async (topic: string, bytes: Uint8Array): Promise<void> => {
      if (!transport.publish(`${this.#prefix}.${topic}`, bytes)) {
        throw new Error('the engine did not take it')
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
        await within(echo, () => 'a stranger does not hear himself')
      }
    }
  }

  async close (): Promise<void> {
    for (const client of this.#clients) client.terminate()
    await Promise.all(this.#strangers.map((transport) => transport.close()))
    await Promise.all(
      this.#nodes.filter(({ host }) => !host.still).map((node) => node.ask('close'))
    )
  }
}
