import type { Start } from './environment.js'

/** Nothing was heard for so long: a ping. Nothing for so long after it: the socket is dropped. */
const quiet = 25_000
const patience = 10_000
/** A timer that fires later than this: the computer slept, or the page was frozen. */
const sleep = 5000

/** Notices that the server is silent, which a browser does not. */
export interface Liveness {
  /** Any frame is a sign of life. */
  readonly hear: () => void
  /** Begins with a socket that was just heard. */
  readonly watch: () => void
  /** Asks for a sign of life, unless one is waited for. */
  readonly probe: () => void
}

export function createLiveness (
  start: Start, now: () => number, ping: () => void, drop: () => void
): Liveness {
  let heardAt = 0
  /** The pings since then. */
  let pings = 0

  const wait = (delay: number): void => { start('live', delay, check) }

  const ask = (): void => {
    pings++
    ping()
    wait(patience)
  }

  const check = (late: number): void => {
    const isLate = late > sleep
    // Unsigned: when the clock was set back, it is long.
    const silence = (now() - heardAt) >>> 0
    // A deadline that fired late says nothing about the server. The second one does, because the
    // timers of a hidden page are always late.
    if (pings > (isLate ? 1 : 0)) drop()
    else if (isLate || silence >= quiet) ask()
    else wait(quiet - silence)
  }

  const hear = (): void => {
    heardAt = now()
    pings = 0
  }

  return {
    hear,
    watch () {
      hear()
      wait(quiet)
    },
    probe () {
      if (pings === 0) ask()
    }
  }
}
