import type { Mail } from './message.js'
import type { Wanted } from './receive.js'

/** A body that waits for mail. Those of one process are a list in the order they asked, each knows the next. */
export interface Waiter {
  readonly wanted: Wanted
  /** Who waits after it. */
  behind: Waiter | undefined
  /** Hands it a message. */
  settle (mail: Mail): void
  /** There will be no more mail. */
  stop (): void
}

/** Puts a waiter last. @returns the first */
export function enlisted (first: Waiter | undefined, waiter: Waiter): Waiter {
  waiter.behind = undefined
  if (first === undefined) return waiter
  let last = first
  while (last.behind !== undefined) last = last.behind
  last.behind = waiter
  return first
}

/** Takes a waiter out; it still knows who waits after it. @returns the first of those that are left */
export function dismissed (first: Waiter | undefined, waiter: Waiter): Waiter | undefined {
  if (first === waiter) return waiter.behind
  for (let other = first; other !== undefined; other = other.behind) {
    if (other.behind !== waiter) continue
    other.behind = waiter.behind
    break
  }
  return first
}

/** The first that wants such a message. */
export function waiterFor (first: Waiter | undefined, topic: string): Waiter | undefined {
  let waiter = first
  while (waiter?.wanted !== undefined && !waiter.wanted(topic)) waiter = waiter.behind
  return waiter
}

/** @returns whether it waits */
export function isWaiting (first: Waiter | undefined, waiter: Waiter): boolean {
  let other = first
  while (other !== undefined && other !== waiter) other = other.behind
  return other !== undefined
}
