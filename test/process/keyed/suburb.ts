// A house in a cluster of which it sees only the answers that a test gives.
import { deferred } from '../helpers.js'
import { House } from './rooms.js'
import { nodeOf } from '../../../lib/process/remote/key-directory.js'
import type { Answer } from '../../../lib/process/calls.js'
import type { ExitListener } from '../../../lib/process/exits/relations.js'
import type { KeyDirectory, KeyNode, KeyRequest } from '../../../lib/process/remote/key-directory.js'
import type { BindResult, RemoteNodes } from '../../../lib/process/remote/remote-nodes.js'
import type { KeyedOptions } from '../../../types/keyed.js'
import type { Pid } from '../../../types/pid.js'

export const here = '0@local.1' as KeyNode
export const there = '0@b.1' as KeyNode
export const third = '0@c.1' as KeyNode

/** A process of the node `there`. */
export const pid = '7@b.1' as Pid

type Step = KeyNode | undefined | Error

export interface Asked {
  readonly node: KeyNode
  readonly request: KeyRequest
  answer (value: unknown): void
  fail (error: Error): void
}

/** A call or message that was sent to another node. */
export interface Sent {
  readonly to: Pid
  readonly topic: string
  readonly call: (Answer & ExitListener) | undefined
}

export class Suburb extends House implements KeyDirectory {
  readonly self = here
  /** The results of the next calls of `claim` and `lookup`. The last one stays. */
  steps: Step[] = [undefined]
  readonly log: string[] = []
  readonly asked: Asked[] = []
  readonly sent: Sent[] = []
  readonly forgotten: unknown[] = []
  /** Whether other nodes take messages. */
  takes = true
  /** The answers to the next requests to bind a connection to a process of another node. */
  binds: BindResult[] = []
  /** The nodes that the hash names, best first. */
  hash: Array<KeyNode | undefined> = [undefined]

  constructor (options?: KeyedOptions, mailboxLimit?: number) {
    super(options, mailboxLimit)
    this.runtime.clusterAccess.joinCluster({
      send: (to: Pid, topic: string, _payload: unknown, _from: unknown, call?: Sent['call']) => {
        if (this.takes) this.sent.push({ to, topic, call })
        return this.takes
      },
      bind: async () => this.binds.shift(),
      demonitor: (_to: Pid, listener: unknown) => { this.forgotten.push(listener) }
    } as unknown as RemoteNodes, undefined, this)
  }

  /** A node that has found the process of the key `a` on the node `there`. */
  static async withRemote (): Promise<Suburb> {
    const house = new Suburb()
    house.steps = [there]
    house.send('one')
    await house.settle()
    await house.told({ pid })
    return house
  }

  async #step (what: string): Promise<KeyNode | undefined> {
    this.log.push(what)
    const step = this.steps.length > 1 ? this.steps.shift() : this.steps[0]
    if (step instanceof Error) throw step
    return step
  }

  claim (): Promise<KeyNode | undefined> {
    return this.#step('claim')
  }

  lookup (): Promise<KeyNode | undefined> {
    return this.#step('lookup')
  }

  release (address: string): void {
    this.log.push(`release ${address}`)
  }

  spread (_address: string, unfit: ReadonlySet<KeyNode>): KeyNode | undefined {
    return this.hash.find((node) => node === undefined || !unfit.has(node))
  }

  request (node: KeyNode, request: KeyRequest): Promise<unknown> {
    const { promise, resolve, reject } = deferred<unknown>()
    this.asked.push({ node, request, answer: resolve, fail: reject })
    return promise
  }

  watch (pid: Pid, stopped: () => void): void {
    const request: KeyRequest = { do: 'watch', pid }
    this.asked.push({ node: nodeOf(pid), request, answer: stopped, fail: stopped })
  }

  /** The answer to a request of another node. */
  answer (request: unknown, node = 'b'): { readonly said: unknown[] } {
    const said: unknown[] = []
    this.runtime.kinds.answer(request, node, {
      reply: (value) => { said.push(value) },
      reject: (error) => { said.push((error as Error).message) }
    })
    return { said }
  }

  /** Answers the last request to another node. */
  async told (value: unknown): Promise<void> {
    const last = this.asked.at(-1)!
    if (value instanceof Error) last.fail(value)
    else last.answer(value)
    await this.settle()
  }
}
