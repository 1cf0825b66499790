import { errorCodes } from '../../errors.js'
import { frameTypes } from '../link/frame-types.js'
import { exitFields, exitOf } from '../values/exit-payload.js'
import { decodePayload, encodePayload, errorFromPlain, errorToPlain, whyUnsendable } from '../values/payload.js'
import { serialOf } from '../membership/peer.js'
import { deleteInner, innerMap } from '../nested-maps.js'
import { IncomingMonitors } from './monitor-tables.js'
import type { Frame } from '../link/codec.js'
import type { Encoded } from '../values/payload.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { Answer } from '../../process/calls.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Pid } from '../../../types/pid.js'

/** Who waits for an answer: told of it, or of the end of the callee. */
export type Caller = Answer & ExitListener

interface PendingCall {
  readonly peer: Peer
  readonly ref: number
  readonly to: Pid
  readonly caller: Caller
}

/** A call is its own monitor: the frame that asks asks for the end of the callee too. */
export function isCaller (watcher: ExitListener): watcher is Caller {
  return 'reply' in watcher
}

/** Calls across nodes: settled once, by an answer, the end of the callee or the loss of its node. */
export class RemoteCalls {
  readonly #node: NodeContext
  readonly #incoming: IncomingMonitors
  readonly #pending = new Map<Peer, Map<number, PendingCall>>()
  readonly #byCaller = new Map<ExitListener, PendingCall>()

  constructor (hub: NodeContext) {
    this.#node = hub
    this.#incoming = new IncomingMonitors(hub)
  }

  get size (): number {
    return this.#pending.size + this.#byCaller.size + this.#incoming.size
  }

  /** @returns whether the channel took it */
  call (peer: Peer, to: Pid, topic: string, payload: Encoded, from: Pid | undefined, caller: Caller): boolean {
    const ref = this.#node.nextRef()
    if (!peer.sendUrgent({ type: frameTypes.call, to: serialOf(to), from: serialOf(from), ref, text: topic, ...payload })) return false
    const asked = { peer, ref, to, caller }
    innerMap(this.#pending, peer).set(ref, asked)
    this.#byCaller.set(caller, asked)
    return true
  }

  /** The caller does not wait any more. */
  abandon (caller: ExitListener): void {
    const asked = this.#byCaller.get(caller)
    if (asked === undefined) return
    this.#removePending(asked.peer, asked.ref)
    asked.peer.sendFrame({ type: frameTypes.forget, ref: asked.ref })
  }

  #removePending (peer: Peer, ref: number): PendingCall | undefined {
    const asked = this.#pending.get(peer)?.get(ref)
    if (asked === undefined) return undefined
    deleteInner(this.#pending, peer, ref)
    this.#byCaller.delete(asked.caller)
    return asked
  }

  /** Frames of another node. @returns undefined for one that is not of this kind, false for garbage */
  receive (peer: Peer, frame: Frame): boolean | undefined {
    switch (frame.type) {
      case frameTypes.call: return this.#receiveCall(peer, frame)
      case frameTypes.forget:
        this.#incoming.remove(peer, frame.ref)
        return true
      case frameTypes.reply: case frameTypes.fail: case frameTypes.reject: case frameTypes.callEnded: return this.#receiveAnswer(peer, frame)
      default: return undefined
    }
  }

  #receiveCall (peer: Peer, { to, from, ref, text: topic, kind, body }: Frame): boolean {
    const callee = this.#node.pid(to)
    const decoded = decodePayload(kind, body as Buffer)
    if (decoded === undefined) {
      peer.sendFrame({ type: frameTypes.reject, ref, ...encodePayload(errorToPlain(new errorCodes.FST_PROCESS_REFUSED(callee, topic, 'its payload cannot be read')))! })
      return false
    }
    let isThere = false
    this.#incoming.add(peer, ref, callee, (exit) => {
      if (isThere) peer.sendFrame({ type: frameTypes.callEnded, ref, ...exitFields(exit, this.#node) })
      // Nothing was delivered: the caller is told the same as by its own node.
      else peer.sendFrame({ type: frameTypes.reject, ref, text: '', ...encodePayload(errorToPlain(new errorCodes.FST_PROCESS_NOT_ALIVE(callee)))! })
    })
    isThere = true
    const answer = new IncomingCall(this.#node, this.#incoming, peer, ref, { topic, pid: callee })
    if (!this.#incoming.has(peer, ref)) return true
    const taken = this.#node.local.deliver(callee, topic, decoded.payload, from === 0 ? undefined : peer.pid(from), answer)
    if (!taken) answer.reject(new errorCodes.FST_PROCESS_REFUSED(callee, topic, 'it is full or stopping'))
    return true
  }

  #receiveAnswer (peer: Peer, frame: Frame): boolean {
    const asked = this.#removePending(peer, frame.ref)
    // The caller has gone on.
    if (asked === undefined) return true
    const { caller, to } = asked
    const exit = frame.type === frameTypes.callEnded ? exitOf(frame, to) : undefined
    const decoded = decodePayload(frame.kind, frame.body as Buffer)
    if (decoded === undefined) {
      this.#node.guard(() => { caller.targetEnded({ pid: to, reason: 'noconnection' }) })
      return false
    }
    const { payload } = decoded
    this.#node.guard(() => {
      if (exit !== undefined) caller.targetEnded(exit)
      else if (frame.type === frameTypes.reply) caller.reply(payload)
      else if (frame.type === frameTypes.reject) caller.reject(errorFromPlain(payload))
      else caller.fail(frame.text === 'error' ? errorFromPlain(payload) : payload)
    })
    return true
  }

  channelReset (peer: Peer): void {
    this.#incoming.removeAll(peer)
    for (const { ref, to, caller } of [...this.#pending.get(peer)?.values() ?? []]) {
      // One that is told may give up another.
      if (this.#removePending(peer, ref) === undefined) continue
      this.#node.guard(() => { caller.targetEnded({ pid: to, reason: 'noconnection' }) })
    }
  }
}

/** The way back to a caller elsewhere. Whatever comes after the first answer finds nothing left. */
class IncomingCall implements Answer {
  readonly #node: NodeContext
  readonly #incoming: IncomingMonitors
  readonly #peer: Peer
  readonly #ref: number
  readonly #description: { readonly topic: string, readonly pid: Pid }

  constructor (hub: NodeContext, served: IncomingMonitors, peer: Peer, ref: number, about: { readonly topic: string, readonly pid: Pid }) {
    this.#node = hub
    this.#incoming = served
    this.#peer = peer
    this.#ref = ref
    this.#description = about
  }

  reply (value: unknown): void {
    this.#encodeAndSend(frameTypes.reply, value)
  }

  fail (error: unknown): void {
    if (error instanceof Error) this.#sendAnswer(frameTypes.fail, 'error', encodePayload(errorToPlain(error))!)
    else this.#encodeAndSend(frameTypes.fail, error)
  }

  #encodeAndSend (type: number, value: unknown): void {
    const encoded = encodePayload(value)
    if (encoded !== undefined) this.#sendAnswer(type, '', encoded)
    // Nobody waits for it any more: nothing is wrong with it.
    else if (this.#incoming.has(this.#peer, this.#ref)) this.fail(this.#node.unsendable(whyUnsendable(value), { ...this.#description, what: 'answer' }))
  }

  reject (error: unknown): void {
    this.#sendAnswer(frameTypes.reject, '', encodePayload(errorToPlain(error))!)
  }

  #sendAnswer (type: number, text: string, payload: Encoded): void {
    if (!this.#incoming.has(this.#peer, this.#ref)) return
    this.#incoming.remove(this.#peer, this.#ref)
    const ref = this.#ref
    if (this.#peer.sendFrame({ type, ref, text, ...payload })) return
    const tooLong = encodePayload(errorToPlain(new RangeError('The answer is too large for another node')))!
    this.#peer.sendFrame({ type: frameTypes.fail, ref, text: 'error', ...tooLong })
  }
}
