import type { WebSocketClass, WebSocketLike } from '../../types/client.js'

/** As much of the global object as the client uses. Tests give their own. */
export interface Environment {
  /** Outside of pages there are no events `online`, `pageshow` and `visibilitychange`. */
  readonly addEventListener?: EventTarget['addEventListener']
  readonly document?: { readonly hidden: boolean }
  /** The page; a path is resolved against it. */
  readonly location?: { readonly href: string }
  readonly WebSocket?: WebSocketClass
  /** The wall clock, because other clocks stop while a laptop sleeps. */
  readonly Date: { now (): number }
  readonly Math: { random (): number }
  setTimeout (task: () => void, delay: number): unknown
  clearTimeout (timer: unknown): void
}

/** The handlers of a socket do nothing from now on. `ws` needs one for errors. */
export function detach (socket: WebSocketLike): void {
  socket.onopen = socket.onmessage = socket.onclose = null
  socket.onerror = () => {}
}

/** An error whose `code` callers can compare. Its message begins with the code. */
export function problem (code: string, about = ''): Error {
  return Object.assign(new Error(code + about), { code })
}

/** Calls `wake` when a lost connection may work again, until the controller aborts. */
export function watchPage (page: Environment, ended: AbortController, wake: () => void): void {
  const listener = (event: Event): void => {
    // `persisted` is false when the page has just been loaded, and absent in the other events.
    if ((event as PageTransitionEvent).persisted !== false && !page.document?.hidden) wake()
  }
  for (const name of ['online', 'visibilitychange', 'pageshow']) {
    // The controller has the option `signal`.
    page.addEventListener?.(name, listener, ended)
  }
}

/** Starts a timer; one with the same name is stopped. */
export type Start = (name: string, delay: number, task: (late: number) => void) => void
/** Stops the timers with these names. */
export type Stop = (...names: string[]) => void

export function createTimers (environment: Environment): [Start, Stop] {
  const timers: Record<string, unknown> = {}
  const stop: Stop = (...names) => {
    for (const name of names) environment.clearTimeout(timers[name])
  }
  return [
    (name, delay, task) => {
      const due = environment.Date.now() + delay
      stop(name)
      timers[name] = environment.setTimeout(() => { task(environment.Date.now() - due) }, delay)
    },
    stop
  ]
}
