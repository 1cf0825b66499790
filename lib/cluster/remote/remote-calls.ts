import { errorCodes } from '../../errors.js'
import { explainTopic } from '../../process/explain/across-nodes.js'
import { keyTopic } from '../../process/remote/key-directory.js'
import { frameTypes } from '../link/frame-types.js'
import { exitFields, exitOf } from '../values/exit-payload.js'
import {
  decodePayload, encodePayload, errorFromPlain, errorToPlain, whyUnsendable
} from '../values/payload.js'
import { serialOf } from '../context.js'
import { deleteInner, innerMap } from '../nested-maps.js'
import { IncomingMonitors } from './monitor-tables.js'
import type { Frame } from '../link/codec.js'
import type { Encoded } from '../values/payload.js'
import type { NodeContext } from '../context.js'
import type { FrameHandler, FrameHandlers } from '../dispatch.js'
import type { Peer } from '../membership/peer.js'
import type { Answer } from '../../process/calls.js'
import type { KeyAnswer } from '../../process/remote/key-directory.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Pid } from '../../../types/pid.js'

/** Waits for the answer to a call, or for the exit of the callee. */
export type Caller = Answer & ExitListener

interface PendingCall {
  readonly peer: Peer
  readonly ref: number
  readonly to: Pid
  readonly caller: Caller
}

/** Whether a monitor belongs to a call. The call frame monitors the callee by itself. */
export function isCaller (listener: ExitListener): listener is Caller {
  return 'reply' in listener
}

/** Calls across nodes. Each is settled once: by an answer, the callee's exit or a channel reset. */
export class RemoteCalls {
  readonly #context: NodeContext
  readonly #incoming: IncomingMonitors
  readonly #pending = new Map<Peer, Map<number, PendingCall>>()
  readonly #byCaller = new Map<ExitListener, PendingCall>()

  readonly handlers: Pick<
    FrameHandlers, 'call' | 'forget' | 'reply' | 'fail' | 'reject' | 'callEnded'
  >

  constructor (context: NodeContext) {
    this.#context = context
    this.#incoming = new IncomingMonitors(context.local)
    const answer: FrameHandler = (peer, frame) => this.#receiveAnswer(peer, frame)
    this.handlers = {
      call: (peer, frame) => this.#receiveCall(peer, frame),
      forget: (peer, { ref }) => {
        this.#incoming.remove(peer, ref)
        return true
      },
      reply: answer,
      fail: answer,
      reject: answer,
      callEnded: answer
    }
  }

  get size (): number {
    return this.#pending.size + this.#byCaller.size + this.#incoming.size
  }

  /** @returns whether the channel accepted the call */
  call (
    peer: Peer, to: Pid, topic: string, payload: Encoded, from: Pid | undefined, caller: Caller
  ): boolean {
    const ref = this.#context.nextRef()
    const { traceparent } = caller
    const text = traceparent === undefined ? topic : `@${traceparent}\n${topic}`
    const fields = { type: frameTypes.call, to: serialOf(to), from: serialOf(from), ref }
    if (!peer.sendUrgent({ ...fields, text, ...payload })) return false
    this.expectAnswer(peer, ref, to, caller)
    return true
  }

  /** Call it when a frame with the number of a call was sent. */
  expectAnswer (peer: Peer, ref: number, to: Pid, caller: Caller): void {
    const pending = { peer, ref, to, caller }
    innerMap(this.#pending, peer).set(ref, pending)
    this.#byCaller.set(caller, pending)
  }

  /** Call when the caller does not wait any more. */
  abandon (caller: ExitListener): void {
    const pending = this.#byCaller.get(caller)
    if (pending === undefined) return
    this.#removePending(pending.peer, pending.ref)
    pending.peer.sendFrame({ type: frameTypes.forget, ref: pending.ref })
  }

  #removePending (peer: Peer, ref: number): PendingCall | undefined {
    const pending = this.#pending.get(peer)?.get(ref)
    if (pending === undefined) return undefined
    deleteInner(this.#pending, peer, ref)
    this.#byCaller.delete(pending.caller)
    return pending
  }

  #receiveCall (peer: Peer, { to, from, ref, text, kind, body }: Frame): boolean {
    const { topic, traceparent } = headOf(text)
    const callee = this.#context.pid(to)
    if (topic === explainTopic) {
      const findings = encodePayload(this.#context.local.findingsOf(callee))!
      peer.sendFrame({ type: frameTypes.reply, ref, text: '', ...findings })
      return true
    }
    const decoded = decodePayload(kind, body as Buffer)
    if (topic === keyTopic) {
      const answer = new AnswerOfNode(peer, ref)
      this.#context.local.answerKeyRequest(decoded?.payload, peer.node, answer)
      return decoded !== undefined
    }
    if (decoded === undefined) {
      const why = 'its payload cannot be read'
      const error = new errorCodes.FST_PROCESS_REFUSED(callee, topic, why)
      peer.sendFrame({ type: frameTypes.reject, ref, ...encodeError(error) })
      return false
    }
    const answer = this.answerFor(peer, ref, callee, topic)
    if (answer === undefined) return true
    answer.traceparent = traceparent
    const sender = from === 0 ? undefined : peer.pid(from)
    const accepted = this.#context.local.deliver(callee, topic, decoded.payload, sender, answer)
    if (accepted) return true
    answer.reject(new errorCodes.FST_PROCESS_REFUSED(callee, topic, 'it is full or stopping'))
    return true
  }

  /**
   * Makes the way back for a call of another node.
   * @param bytes of client data
   * @returns undefined if the callee is dead: then the caller is told
   */
  answerFor (
    peer: Peer, ref: number, callee: Pid, topic: string, bytes = 0
  ): IncomingCall | undefined {
    const about = { topic, pid: callee }
    const answer = new IncomingCall(this.#context, this.#incoming, peer, ref, about, bytes)
    let isAlive = false
    this.#incoming.add(peer, ref, callee, (exit) => {
      if (isAlive) {
        peer.sendFrame({ type: frameTypes.callEnded, ref, ...exitFields(exit, this.#context) })
        return
      }
      // The callee was dead already: the caller gets the error of a local call.
      const error = new errorCodes.FST_PROCESS_NOT_ALIVE(callee)
      peer.sendFrame({ type: frameTypes.reject, ref, text: '', ...encodeError(error) })
    }, () => answer.onSettled?.())
    isAlive = true
    return this.#incoming.has(peer, ref) ? answer : undefined
  }

  #receiveAnswer (peer: Peer, frame: Frame): boolean {
    const pending = this.#removePending(peer, frame.ref)
    // The caller does not wait any more.
    if (pending === undefined) return true
    const { caller, to } = pending
    const exit = frame.type === frameTypes.callEnded ? exitOf(frame, to) : undefined
    const decoded = decodePayload(frame.kind, frame.body as Buffer)
    if (decoded === undefined) {
      this.#context.guard(() => { caller.targetEnded({ pid: to, reason: 'noconnection' }) })
      return false
    }
    const { payload } = decoded
    this.#context.guard(() => {
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
      // A caller that was called before may have abandoned this call.
      if (this.#removePending(peer, ref) === undefined) continue
      this.#context.guard(() => { caller.targetEnded({ pid: to, reason: 'noconnection' }) })
    }
  }
}

/** A call from another node. Only its first answer is sent. */
class IncomingCall implements Answer {
  readonly bytes: number
  onSettled: (() => void) | undefined
  traceparent: string | undefined
  readonly #context: NodeContext
  readonly #incoming: IncomingMonitors
  readonly #peer: Peer
  readonly #ref: number
  readonly #description: { readonly topic: string, readonly pid: Pid }

  constructor (
    context: NodeContext, incoming: IncomingMonitors, peer: Peer, ref: number,
    description: { readonly topic: string, readonly pid: Pid }, bytes: number
  ) {
    this.bytes = bytes
    this.#context = context
    this.#incoming = incoming
    this.#peer = peer
    this.#ref = ref
    this.#description = description
  }

  reply (value: unknown): void {
    this.#encodeAndSend(frameTypes.reply, value)
  }

  fail (error: unknown): void {
    if (error instanceof Error) this.#sendAnswer(frameTypes.fail, 'error', encodeError(error))
    else this.#encodeAndSend(frameTypes.fail, error)
  }

  #encodeAndSend (type: number, value: unknown): void {
    const encoded = encodePayload(value)
    if (encoded !== undefined) return this.#sendAnswer(type, '', encoded)
    // Do not log a value that cannot be sent if nobody waits for it.
    if (!this.#incoming.has(this.#peer, this.#ref)) return
    const about = { ...this.#description, what: 'answer' }
    this.fail(this.#context.unsendable(whyUnsendable(value), about))
  }

  reject (error: unknown): void {
    this.#sendAnswer(frameTypes.reject, '', encodeError(error))
  }

  #sendAnswer (type: number, text: string, payload: Encoded): void {
    if (!this.#incoming.has(this.#peer, this.#ref)) return
    this.#incoming.remove(this.#peer, this.#ref)
    const ref = this.#ref
    if (this.#peer.sendFrame({ type, ref, text, ...payload })) return
    const tooLong = encodeError(new RangeError('The answer is too large for another node'))
    this.#peer.sendFrame({ type: frameTypes.fail, ref, text: 'error', ...tooLong })
  }
}

/** Answers a request about a key. If the channel was reset meanwhile, the answer is ignored. */
class AnswerOfNode implements KeyAnswer {
  readonly #peer: Peer
  readonly #ref: number

  constructor (peer: Peer, ref: number) {
    this.#peer = peer
    this.#ref = ref
  }

  reply (value: unknown): void {
    this.#peer.sendFrame({ type: frameTypes.reply, ref: this.#ref, ...encodePayload(value)! })
  }

  reject (error: unknown): void {
    const fields = { type: frameTypes.reject, ref: this.#ref }
    if (this.#peer.sendFrame({ ...fields, ...encodeError(error) })) return
    const tooLong = new RangeError('The error is too large for another node')
    this.#peer.sendFrame({ ...fields, ...encodeError(tooLong) })
  }
}

/** The text of a call. */
interface CallHead {
  readonly topic: string
  readonly traceparent: string | undefined
}

/** The topics of users do not begin with `@`, and those of the system have no line break. */
function headOf (text: string): CallHead {
  const end = text.startsWith('@') ? text.indexOf('\n') : -1
  return end === -1
    ? { topic: text, traceparent: undefined }
    : { topic: text.slice(end + 1), traceparent: text.slice(1, end) }
}

function encodeError (error: unknown): Encoded {
  return encodePayload(errorToPlain(error))!
}
