import { unavailableError } from '../errors.js'
import { keyTopic, nodeOf } from '../../process/remote/key-directory.js'
import { rendezvous } from './rendezvous.js'
import type { NodeContext } from '../context.js'
import type { Answer } from '../../process/calls.js'
import type { Peers } from '../membership/peers.js'
import type { NodeNames } from '../names/names.js'
import type { RemoteNodes } from '../../process/remote/remote-nodes.js'
import type { KeyDirectory, KeyNode, KeyRequest } from '../../process/remote/key-directory.js'
import type { Pid } from '../../../types/pid.js'

/** The places of keys: each is a cluster-wide name, the address of the key, that a node has. */
export class NodeKeys implements KeyDirectory {
  readonly #context: NodeContext
  readonly #names: Pick<NodeNames, 'claim' | 'holderOf' | 'release'>
  readonly #peers: Pick<Peers, 'upPeers'>
  readonly #remoteNodes: Pick<RemoteNodes, 'send'>

  constructor (
    context: NodeContext,
    names: Pick<NodeNames, 'claim' | 'holderOf' | 'release'>,
    peers: Pick<Peers, 'upPeers'>,
    remoteNodes: Pick<RemoteNodes, 'send'>
  ) {
    this.#context = context
    this.#names = names
    this.#peers = peers
    this.#remoteNodes = remoteNodes
  }

  get self (): KeyNode {
    return this.#context.pid(0)
  }

  async claim (address: string): Promise<KeyNode | undefined> {
    return await this.#names.claim(address)
  }

  async lookup (address: string): Promise<KeyNode | undefined> {
    return (await this.#names.holderOf(address))?.pid
  }

  release (address: string): void {
    // Without an answer of the engine, the sweep of unconfirmed names deletes the record.
    this.#names.release(address).catch(() => {})
  }

  spread (address: string, unfit: ReadonlySet<KeyNode>): KeyNode | undefined {
    const nodes = new Map<string, KeyNode | undefined>([[this.#context.node, undefined]])
    for (const peer of this.#peers.upPeers) {
      const place = peer.pid(0)
      if (!peer.closing && !unfit.has(place)) nodes.set(peer.node, place)
    }
    return nodes.get(rendezvous(address, [...nodes.keys()]))
  }

  request (node: KeyNode, request: KeyRequest): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const lost = (): void => { reject(unavailableError('the node of a key cannot be reached')) }
      this.#send(node, request, { reply: resolve, fail: reject, reject, targetEnded: lost })
    })
  }

  watch (pid: Pid, stopped: () => void): void {
    const caller = { reply: stopped, fail: stopped, reject: stopped, targetEnded: stopped }
    this.#send(nodeOf(pid), { do: 'watch', pid }, caller)
  }

  #send (node: KeyNode, request: KeyRequest, caller: Answer & { targetEnded (): void }): void {
    const isSent = this.#remoteNodes.send(node, keyTopic, request, undefined, caller)
    if (!isSent) caller.targetEnded()
  }
}
