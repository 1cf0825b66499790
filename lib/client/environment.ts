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

/**
 * @returns the URL of all tries, or else a function that gives the one of the next try
 * @throws TypeError for a URL that is none
 */
export function urlsOf (
  environment: Environment, url: string | (() => string | Promise<string>)
): [string | false, () => Promise<string>] {
  const addressOf = (text: string): string =>
    new URL(text, environment.location?.href).href.replace(/^http/, 'ws')
  return [
    typeof url === 'string' && addressOf(url),
    async () => addressOf(await (url as () => string | Promise<string>)())
  ]
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

/**
 * Calls `wake` when a lost connection may work again.
 *
 * @returns a function that ends this
 */
export function watchPage (page: Environment, wake: () => void): () => void {
  const controller = new AbortController()
  const listener = (event: Event): void => {
    const { type, persisted } = event as PageTransitionEvent
    // `persisted` is false when the page has just been loaded, and absent in the other events.
    if (type === 'visibilitychange' ? !page.document?.hidden : persisted !== false) wake()
  }
  for (const name of ['online', 'visibilitychange', 'pageshow']) {
    // The controller has the option `signal`.
    page.addEventListener?.(name, listener, controller)
  }
  return () => { controller.abort() }
}

/** Starts a timer; one with the same name is stopped. */
export type Start = (name: string, delay: number, task: (late: number) => void) => void
/** Stops the timers with these names. */
export type Stop = (...names: string[]) => void

export function timersOf (environment: Environment): [Start, Stop, () => number] {
  const now = (): number => environment.Date.now()
  const timers: Record<string, unknown> = {}
  const stop: Stop = (...names) => {
    for (const name of names) environment.clearTimeout(timers[name])
  }
  return [
    (name, delay, task) => {
      const due = now() + delay
      stop(name)
      timers[name] = environment.setTimeout(() => { task(now() - due) }, delay)
    },
    stop,
    now
  ]
}
