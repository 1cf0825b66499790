import { errorCodes, show } from '../../errors.js'
import { isPid } from '../pid.js'
import { nodeOf } from '../remote/key-directory.js'
import { isKeyRefusal } from './key-error.js'
import { StartAnswer } from './start.js'
import type { Counters } from '../stats/counters.js'
import type { KeyAnswer, KeyDirectory, KeyNode, KeyStart } from '../remote/key-directory.js'
import type { Pid } from '../../../types/pid.js'
import type { Instance } from './instance.js'
import type { KeyRefusal } from './key-error.js'
import type { RemoteInstance, StartWaiter } from './start.js'

/** A message for a key whose process is not known yet. */
export interface WaitingMail {
  handTo (process: Instance | RemoteInstance): void
  /** There will be no process. */
  drop (error: Error): void
}

/** The end of a search. Without a PID or a problem, this node is the place of the key. */
interface Found {
  /** Of another node. */
  readonly pid?: Pid
  readonly problem?: KeyRefusal
}

/** How a search is made. */
export interface SearchTerms {
  readonly address: string
  readonly directory: KeyDirectory
  readonly counters: Counters
  /** Messages that wait at most. */
  readonly limit: number
  /** Whether the first node to ask is the one that the hash of the key names. */
  readonly isSpread: boolean
  /** Why this node cannot start the process: then it only looks for it. */
  readonly refusal: KeyRefusal | undefined
  /** Called once, before anything that waits. @param pid undefined: this node is the place */
  found (search: Search, pid: Pid | undefined): void
  refused (search: Search, problem: KeyRefusal): void
  failed (search: Search, error: Error): void
}

/** Nodes that are asked one after the other: each may know a later place than the one before. */
const maxSteps = 8

/**
 * The search for the process of a key in a cluster. Mail and requests for the key wait in it.
 *
 * | state | event | new state |
 * | --- | --- | --- |
 * | claiming | this node is the place | found: the process starts here |
 * | claiming | another node is the place | asking |
 * | asking | that node has started the process | found |
 * | asking | that node is not the place | asking, or claiming if that is this node |
 * | any | a node or the engine cannot be reached, or the start has failed | failed |
 *
 * A node that is asked for a start claims the key itself, and asks no third node: it answers with
 * the place that it has found. So nodes never wait for each other in a circle.
 */
export class Search {
  readonly hasStarted = false
  readonly #terms: SearchTerms
  readonly #waiters: StartWaiter[] = []
  readonly #mail: WaitingMail[] = []
  /** Requests of other nodes for a start. */
  readonly #askers: KeyAnswer[] = []
  /** The node that is asked. */
  #asked: KeyNode | undefined

  constructor (terms: SearchTerms) {
    this.#terms = terms
  }

  start (): void {
    const { found, refused, failed } = this.#terms
    this.#find().then(({ pid, problem }) => {
      if (problem === undefined) found(this, pid)
      else refused(this, problem)
    }, (err: Error) => { failed(this, err) })
  }

  async #find (): Promise<Found> {
    const { address, directory, isSpread, refusal } = this.#terms
    const unfit = new Set<KeyNode>()
    const byHash = (): KeyNode | undefined => {
      return isSpread ? directory.spread(address, unfit) : undefined
    }
    let node = byHash()
    for (let step = 0; step < maxSteps; step++) {
      if (node === undefined) {
        const mayStart = refusal === undefined
        node = await (mayStart ? directory.claim(address) : directory.lookup(address))
        // The register may still have this node as the place, although it was given up.
        if (node === undefined || node === directory.self) return { problem: refusal }
      }
      this.#ask(node)
      const start = (await directory.request(node, { do: 'start', address }) ?? {}) as KeyStart
      this.#asked = undefined
      if (isPid(start.pid) && nodeOf(start.pid) === node) return { pid: start.pid }
      if (isKeyRefusal(start.problem)) return { problem: start.problem }
      if (start.node === undefined) {
        unfit.add(node)
        node = byHash()
      } else node = start.node === directory.self ? undefined : start.node
    }
    throw new errorCodes.FST_CLUSTER_UNAVAILABLE(`nodes disagree about '${show(address)}'`)
  }

  #ask (node: KeyNode): void {
    this.#asked = node
    for (const asker of this.#askers.splice(0)) asker.reply({ node } satisfies KeyStart)
  }

  // Waiting requests

  /** @returns false, and counts a refusal, if too much waits already */
  add (mail: WaitingMail): boolean {
    if (this.#mail.length >= this.#terms.limit) {
      this.#terms.counters.messageRefused('full')
      return false
    }
    this.#mail.push(mail)
    return true
  }

  whenStarted (waiter: StartWaiter): void {
    this.#waiters.push(waiter)
  }

  /** Another node asks for a start. It is answered with the place, or when that is this node. */
  addAsker (asker: KeyAnswer): void {
    if (this.#asked === undefined) this.#askers.push(asker)
    else asker.reply({ node: this.#asked } satisfies KeyStart)
  }

  /** Hands everything that waits to the process, in order. */
  handOver (process: Instance | RemoteInstance): void {
    const { address } = this.#terms
    for (const mail of this.#mail) mail.handTo(process)
    for (const waiter of this.#waiters) process.whenStarted(waiter)
    for (const asker of this.#askers) process.whenStarted(new StartAnswer(asker, address))
  }

  /** @param problem why nothing was tried, where nothing has failed */
  fail (error: Error, problem?: KeyRefusal): void {
    for (const mail of this.#mail) mail.drop(error)
    for (const waiter of this.#waiters) waiter.startFailed(error, problem)
    for (const asker of this.#askers) {
      new StartAnswer(asker, this.#terms.address).startFailed(error, problem)
    }
  }

  /** Requests that wait. */
  get waiting (): number {
    return this.#mail.length + this.#waiters.length + this.#askers.length
  }
}
