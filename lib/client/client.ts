// One connection that comes back. `transitions.ts` has the table of its states, and `dispatch`
// drives it. Parts with rules of their own: the outbox, calls, liveness, events, timers.
import type {
  ClientClose, ClientSocket, ConnectOptions, WebSocketLike
} from '../../types/client.js'
import { createCalls } from './calls.js'
import { delayOf, lost, triesAgain } from './closes.js'
import { detach, problem, timersOf, urlsOf, watchPage, type Environment } from './environment.js'
import { createEvents, guard } from './events.js'
import { createLiveness } from './liveness.js'
import { createOutbox } from './outbox.js'
import { settingsOf } from './settings.js'
import {
  transitions, type Action, type Detail, type Event, type Frame, type State
} from './transitions.js'
import { parseHello, parseJson, sizeOf, subprotocol, type Hello } from './wire.js'

export function createClient<P> (
  environment: Environment,
  url: string | (() => string | Promise<string>),
  options: ConnectOptions
): ClientSocket<P> {
  const [
    protocols, negotiate, WebSocket, min, max, timeout, queue, stableAfter, resend, reconnect
  ] = settingsOf(environment, options)
  const [fixed, nextUrl] = urlsOf(environment, url)

  let state: State = 'connecting'
  /** The number of the next or present try since the last stable connection. */
  let tries = 0
  /** Ends the try under way. */
  let cancel: (() => void) | undefined
  /** Failed handshakes in a row. */
  let failures = 0
  /** False: the server was found to be plain. */
  let mayOffer = negotiate
  /** The last handshake offered negotiated mode and failed. */
  let skipsOffer = false

  let current: WebSocketLike | undefined
  /** Sockets that were given up without a close frame, which would end the session. */
  let stale: WebSocketLike[] = []
  let openedAt = 0
  let lostAt = 0
  /** The last socket chose `v1.ws-relay` and sent no hello. In plain mode one may still come. */
  let wasSilent: boolean | undefined

  let protocol = ''
  /** Messages are acknowledged; false in plain mode. */
  let isNegotiated = false
  let token: string | undefined
  /** Milliseconds for which the session can be resumed. */
  let windowTime = 0
  /** Why a next session is another one, unless the server tells. Absent: there was none yet. */
  let lostWhy: string | undefined
  /** The number of the last data message on this socket, and of the last delivered one. */
  let position = 0
  let received = 0
  /** Messages and bytes since the last acknowledgement. */
  let unacknowledged = 0
  let unacknowledgedBytes = 0

  const [start, stop, now] = timersOf(environment)
  const { call, handle, takeCall, endCalls } =
    createCalls(environment, () => isNegotiated, (text) => push(text, true))
  const { on, emit, deliver, messages } = createEvents(takeCall)
  const outbox = createOutbox()
  const liveness = createLiveness(start, now, () => { writeControl('p') }, () => {
    lose(lost('timeout'), true)
  })

  const actions: Record<Action, (detail: Detail) => void> = {
    adopt,
    dial,
    end,
    plan,
    wait (detail) {
      start('try', detail.wait!, () => { dispatch('due') })
      say(detail)
    },
    probe,
    hurry () {
      if (cancel) say({})
      else dial()
    }
  }
  const stopWatching = watchPage(environment, () => { dispatch('woken') })
  // Later, so that listeners that are added now get the first event.
  queueMicrotask(() => { dispatch('due') })

  function dispatch (event: Event, detail: Detail = {}): void {
    const row = transitions[state][event]
    if (!row) return
    state = row[0]
    actions[row[1]](detail)
  }

  function say (detail: object): void {
    emit('state', { state: client.state, attempt: tries, ...detail })
  }

  // A try: the URL, the handshake, the first frame.

  function dial (): void {
    const offers = mayOffer && !skipsOffer
    const entries = token ? [`resume.ws-relay.${token}.${received}`] : []
    let socket: WebSocketLike | undefined
    let hasOpened = false
    let isLate = false

    const finish = (): void => {
      cancel = undefined
      stop('try')
      if (socket) detach(socket)
    }
    const fail = (close: ClientClose, error?: unknown): void => {
      finish()
      if (hasOpened) abandon(socket!)
      else socket?.close()
      // The socket that is still used decides, not this one.
      if (state === 'moving') return dispatch('failed')
      if (socket) {
        failures = hasOpened ? 0 : failures + 1
        // A browser fails a handshake whose answer has no protocol. A try that ran out of time had
        // no answer. When the window is over there is no session to lose.
        skipsOffer = offers && !hasOpened && !isLate && now() - lostAt > windowTime
      }
      judge('failed', close, error)
    }
    const limit = (): void => {
      start('try', timeout, () => {
        isLate = true
        fail(lost('timeout'))
      })
    }
    const succeed = (detail: Detail): void => {
      finish()
      // A hello may be late or lost: a session is given up only when that happens twice.
      if (detail.isSilent && token && !wasSilent) {
        wasSilent = true
        return fail(lost('timeout'))
      }
      if (!detail.hello && offers) mayOffer = false
      dispatch('greeted', { socket, ...detail })
    }
    const open = async (): Promise<void> => {
      const address = fixed || await nextUrl()
      if (cancel !== cancelThis) return
      const made = socket =
        new WebSocket(address, [...offers ? [subprotocol, ...entries] : [], ...protocols])
      made.binaryType = 'arraybuffer'
      // `close` follows, but not in Node 22 after a handshake that failed.
      made.onerror = () => { if (!hasOpened) fail(lost('')) }
      made.onclose = fail
      made.onopen = () => {
        hasOpened = true
        if (!offers || made.protocol !== subprotocol) succeed({})
        // The relay sends its hello right behind the 101; a plain server sends none.
        else start('try', 2000, () => { succeed({ isSilent: true }) })
      }
      made.onmessage = (first: Frame) => {
        const hello = parseHello(first.data)
        if (hello?.why === 'ended') {
          // A close frame follows, with the code and the reason of the session's end.
          token = undefined
          lostWhy = 'ended'
          limit()
        } else succeed(hello ? { hello } : { first })
      }
    }
    const cancelThis = cancel = () => {
      finish()
      socket?.close()
    }
    limit()
    if (state === 'connecting') say({})
    open().catch((error: unknown) => {
      if (cancel === cancelThis) fail(lost('url'), error)
    })
  }

  /** Decides whether a try follows the end of a socket, and when. */
  function judge (
    event: 'lost' | 'failed', { code, reason }: ClientClose, error?: unknown
  ): void {
    // Deno has the code 0 where no close frame came.
    const close = { code: code || 1006, reason }
    const isShut = failures >= 3
    const why = error ? 'url' : isShut ? 'handshake' : undefined
    const decision = guard(() => reconnect?.(close, tries + 1)) ?? triesAgain(close)
    const detail = { ...close, why, error }
    if (decision === false) return dispatch('ended', detail)
    // A try that follows advice is not counted.
    if (state !== 'moving') tries++
    const delay = delayOf(close, isShut ? Infinity : tries, min, max, environment.Math.random())
    dispatch(event, { ...detail, wait: decision === true ? delay : decision })
  }

  /** The server is about to go away. Also after a failed try that followed this advice. */
  function plan ({ after = min * (1 + environment.Math.random()), by }: Detail): void {
    // If the new socket has a new session, the fewest messages are lost or in doubt.
    acknowledge()
    writeControl('p')
    // The server closes the socket then, after its last messages. They may be late.
    if (by !== undefined) start('by', by + 500, () => { lose(lost('moved'), true) })
    start('try', after, () => { dispatch('due') })
  }

  // The current socket.

  function adopt ({ socket, hello, first, isSilent }: Detail): void {
    const isResumed = !!(hello?.resumed && token)
    /** There: this session replaces another one. */
    const why = isResumed ? undefined : hello ? hello.why ?? lostWhy : lostWhy && 'plain'
    stop('by')
    retire()
    current = socket!
    current.onclose = lose
    current.onmessage = receive
    openedAt = now()
    failures = 0
    skipsOffer = false
    wasSilent = isSilent
    isNegotiated = !!hello
    lostWhy = hello ? 'off' : 'plain'
    const plainProtocol = current.protocol === subprotocol ? '' : current.protocol;
    ({ token, window: windowTime = 0, protocol = plainProtocol } = hello ?? {} as Partial<Hello>)
    const reset = problem('SESSION_RESET')
    const unsent = why ? outbox.take(reset, resend) : []
    const isPossible = outbox.begin(hello?.received ?? 0, !isResumed)
    if (hello) {
      position = hello.from - 1
      if (!isResumed) received = position
      if (position > received || !isPossible) return violate()
      acknowledge()
      liveness.watch()
    }
    say({ resumed: isResumed, why })
    if (why) {
      endCalls(reset)
      emit('reset', { why, unsent })
    }
    flush()
    if (outbox.left()) writeControl('p')
    if (first) receive(first)
  }

  /** @param isDrop the socket has not ended, but is not used any more */
  function lose (close: ClientClose, isDrop?: true): void {
    detach(current!)
    if (isDrop) abandon(current!)
    current = undefined
    lostAt = now()
    stop('ack', 'live', 'by')
    if (lostAt - openedAt >= stableAfter) tries = 0
    judge('lost', close)
  }

  /**
   * Gives up a socket. A close frame would end the session, so if that may continue, the socket is
   * closed when another one has the session.
   */
  function abandon (socket: WebSocketLike): void {
    if (token) stale.push(socket)
    else socket.close()
  }

  /** Closes all sockets: another one has the session, or nothing will. */
  function retire (): void {
    for (const socket of [...stale, current]) {
      if (!socket) continue
      detach(socket)
      socket.close()
    }
    current = undefined
    stale = []
  }

  /** The server broke the protocol, so the session is given up. */
  function violate (): void {
    token = undefined
    lostWhy = 'protocol'
    lose(lost('protocol'), true)
  }

  function end (detail: Detail): void {
    cancel?.()
    retire()
    stop('ack', 'live', 'by', 'try')
    stopWatching()
    const closed = problem('CLOSED')
    endCalls(closed)
    say({ ...detail, unsent: outbox.take(closed) })
  }

  // Frames.

  function probe (): void {
    if (current && isNegotiated) liveness.probe()
  }

  function writeControl (text: string): void {
    if (isNegotiated) current?.send(`\0${text}`)
  }

  function flush (): void {
    // A socket that closes drops all that it gets.
    while (current?.readyState === 1) {
      const data = outbox.nextToSend()
      if (data === undefined) break
      current.send(isNegotiated && data[0] === '\0' ? `\0${data}` : data as string)
      if (!isNegotiated) outbox.forgetSent(problem('PLAIN_MODE'))
    }
  }

  function acknowledge (): void {
    unacknowledged = unacknowledgedBytes = 0
    stop('ack')
    writeControl(`a${received}`)
  }

  function receive ({ data }: Frame): void {
    if (!isNegotiated) {
      if (wasSilent && parseHello(data)) {
        // The server knows the protocol after all.
        mayOffer = negotiate
        return lose(lost('protocol'), true)
      }
      wasSilent = false
      return deliver(data)
    }
    liveness.hear()
    // An ArrayBuffer has no such index.
    if ((data as string)[0] === '\0') {
      data = data.slice(1) as string
      if (data[0] !== '\0') return control(data)
    }
    // A resumed session repeats messages that the client has.
    if (++position <= received) return
    received = position
    unacknowledgedBytes += sizeOf(data)
    if (++unacknowledged > 127 || unacknowledgedBytes > 32767) acknowledge()
    else if (unacknowledged === 1) start('ack', 1000, acknowledge)
    deliver(data)
  }

  /** A control that this version does not know is ignored. */
  function control (text: string): void {
    const payload = text.slice(1)
    if (text[0] === 'a') {
      if (!/^\d{1,16}$/.test(payload) || !outbox.acknowledge(+payload)) violate()
      return
    }
    const detail = parseJson<Detail>(payload)
    if (!detail) return
    if (text[0] === 'r') dispatch('advised', detail)
    if (text[0] === 'e') emit('invalid', detail)
  }

  /** @returns the code of the reason why it was not sent */
  function push (data: string | Uint8Array, isOfSession?: true): string | undefined {
    const buffered = isNegotiated ? 0 : current?.bufferedAmount ?? 0
    if (state === 'closed') return 'CLOSED'
    if (!outbox.enqueue(data, queue - buffered, isOfSession)) {
      // A server acknowledges after 64 KiB, which may be more than the queue.
      probe()
      return 'QUEUE_FULL'
    }
    flush()
    return undefined
  }

  const client: ClientSocket<P> = {
    get state () { return state === 'moving' ? 'open' : state },
    get protocol () { return protocol },
    send (data: string | Uint8Array, ...rest: unknown[]) {
      if (rest.length) data = JSON.stringify({ topic: data, data: rest[0] })
      // A copy; of a Buffer, too. It throws for other values.
      if (typeof data !== 'string') data = Uint8Array.prototype.slice.call(data)
      return !push(data)
    },
    call: call as ClientSocket<P>['call'],
    handle,
    async delivered () {
      if (state === 'closed') throw problem('CLOSED')
      if (lostWhy && !isNegotiated) throw problem('PLAIN_MODE')
      await new Promise<void>((resolve, reject) => {
        outbox.whenDelivered((error) => { error ? reject(error) : resolve() })
        writeControl('p')
      })
    },
    on,
    close (code = 1000, reason = '') {
      current?.close(code, reason)
      dispatch('ended', { code, reason })
    },
    [Symbol.asyncIterator]: () => messages(queue, () => state === 'closed')
  }
  return client
}
