import { errorCodes, toError } from '../errors.js'
import { doAction, loggedFields, requiredActions } from './actions.js'
import { openRemoteView } from './cluster/remote-view.js'
import { maxWatches } from './frames.js'
import { readRequest } from './requests.js'
import { Sampler } from './sampler/sampler.js'
import { openView } from './views/open.js'
import type { Runtime } from '../process/runtime.js'
import type { ClockTimer } from '../shared/clock.js'
import type { FastifyBaseLogger } from 'fastify'
import type { Acted, Action, ActionRequest, Problem, ServerTopics } from './frames.js'
import type { Watch } from './requests.js'
import type { OpenView } from './views/view.js'
import type { Pid } from '../../types/pid.js'
import type { Process } from '../../types/processes.js'

/** The mean time between two answers, at least, however many requests a client sends. */
const answerGap = 250
/** So many answers may follow one another at once. */
const burst = 4
/** A watch ends when its client has not read an answer for so long. */
const readTimeout = 30_000

/** The facts about the request that has opened a socket. */
export interface ViewerTerms {
  readonly runtime: Runtime
  readonly actions: readonly Action[]
  /** With the id of the request. */
  readonly log: Pick<FastifyBaseLogger, 'info'>
}

/** The body of the process that each socket of a dashboard has. */
export async function dashboard (self: Process, terms: ViewerTerms): Promise<void> {
  const viewer = new Viewer(self, terms)
  try {
    await self.serve({
      'ws.join': (_payload, { from }) => { viewer.join(from) },
      'ws.message': ({ data }, { from }) => { viewer.receive(data, from) }
    })
  } finally {
    viewer.leave()
  }
}

/** A watch of a view, and its next answer. */
interface RunningWatch {
  readonly watch: Watch
  readonly view: OpenView
  timer?: ClockTimer
}

class Viewer {
  readonly #self: Process
  readonly #terms: ViewerTerms
  readonly #leaveSampler: () => void
  readonly #watches = new Map<string | number, RunningWatch>()
  #client: Pid | undefined
  /** The answers up to this time are used up. */
  #usedUntil = -Infinity

  constructor (self: Process, terms: ViewerTerms) {
    this.#self = self
    this.#terms = terms
    this.#leaveSampler = Sampler.of(terms.runtime).addViewer()
  }

  /** The first connection has started this process. One that is transferred to it gets nothing. */
  join (client: Pid | undefined): void {
    if (this.#client !== undefined) return
    const { actions } = this.#terms
    this.#client = client
    this.#send('hello', { version: 1, node: this.#self.node, actions })
  }

  leave (): void {
    for (const running of this.#watches.values()) stop(running)
    this.#watches.clear()
    this.#leaveSampler()
  }

  /** A message of another process is dropped: the hooks have let in the client only. */
  receive (data: unknown, from: Pid | undefined): void {
    if (from !== this.#client) return
    const request = readRequest(data)
    if ('watch' in request) this.#watch(request.watch)
    else if ('stop' in request) this.#stop(request.stop)
    else if ('act' in request) this.#act(request.act)
    else this.#refuse(request.id, request.error)
  }

  #watch (watch: Watch): void {
    const { id } = watch
    this.#stop(id)
    try {
      if (this.#watches.size === maxWatches) {
        throw new errorCodes.FST_WS_RELAY_INVALID_REQUEST(
          `a socket may have ${maxWatches} watches at a time`
        )
      }
      const running: RunningWatch = { watch, view: this.#open(watch) }
      this.#watches.set(id, running)
      this.#wait(running, 0)
    } catch (err) {
      this.#refuse(id, err)
    }
  }

  #open (watch: Watch): OpenView {
    const { node } = watch
    if (node !== undefined && node !== this.#self.node) return openRemoteView(this.#self, watch)
    const { runtime } = this.#terms
    return openView({ runtime, sampler: Sampler.of(runtime) }, watch)
  }

  #stop (id: string | number): void {
    const running = this.#watches.get(id)
    if (running === undefined) return
    this.#watches.delete(id)
    stop(running)
  }

  #wait (running: RunningWatch, every: number): void {
    const wait = Math.max(every, this.#waitForTurn())
    if (wait === 0) this.#answer(running)
    else {
      running.timer = this.#terms.runtime.contextClock.after(wait, () => { this.#wait(running, 0) })
    }
  }

  /** Milliseconds until another answer is allowed. */
  #waitForTurn (): number {
    return Math.max(0, this.#usedUntil - (burst - 1) * answerGap - this.#terms.runtime.clock.now())
  }

  /** Each answer waits until the client has read the one before: a slow client gets fewer. */
  #answer (running: RunningWatch): void {
    const { id, every } = running.watch
    const isCurrent = (): boolean => this.#watches.get(id) === running
    const now = this.#terms.runtime.clock.now()
    this.#usedUntil = Math.max(this.#usedUntil, now) + answerGap
    this.#sendAnswer(running, isCurrent).then(
      (isLast) => {
        if (!isCurrent()) return
        if (isLast) this.#stop(id)
        else this.#wait(running, every)
      },
      (err: unknown) => {
        if (!isCurrent()) return
        this.#stop(id)
        this.#refuse(id, err)
        if (codeOf(err) !== undefined) return
        this.#self.log.error({ err }, 'a view of the dashboard failed')
      }
    )
  }

  /** @returns whether there is nothing more to show */
  async #sendAnswer ({ watch, view }: RunningWatch, isCurrent: () => boolean): Promise<boolean> {
    const body = await view.next()
    if (!isCurrent()) return true
    const { id, node = this.#self.node } = watch
    const answer = { id, view: watch.view, node, at: Date.now(), ...body }
    await this.#self.call(this.#client!, 'answer', answer, { timeout: readTimeout })
    return 'ended' in body && body.ended
  }

  #act (request: ActionRequest): void {
    const { actions, log } = this.#terms
    const { id, action } = request
    const missing = requiredActions(request).find((required) => !actions.includes(required))
    if (missing !== undefined) {
      this.#refuse(id, new errorCodes.FST_WS_RELAY_ACTION_OFF(missing))
      return
    }
    const done = (outcome: Pick<Acted, 'ok' | 'message'>): void => {
      log.info({ ...loggedFields(request), ...outcome }, 'did an action of the dashboard')
      this.#send('acted', { id, action, ...outcome })
    }
    doAction(this.#self, request).then(
      (ok) => { done(ok ? { ok } : { ok, message: 'it is not alive, or it refused' }) },
      (err: unknown) => { done({ ok: false, message: toError(err).message }) }
    )
  }

  #refuse (id: Problem['id'], err: unknown): void {
    const { message } = toError(err)
    this.#send('problem', {
      ...id !== undefined && { id }, code: codeOf(err) ?? 'ERR_UNKNOWN', message
    })
  }

  #send<K extends keyof ServerTopics> (topic: K, data: ServerTopics[K]): void {
    this.#self.send(this.#client!, topic as string, data)
  }
}

function stop ({ timer, view }: RunningWatch): void {
  timer?.cancel()
  view.close?.()
}

function codeOf (err: unknown): string | undefined {
  return (err as { code?: string }).code
}
