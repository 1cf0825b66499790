import type { Mail } from '../message.js'
import type { Wanted } from './receive.js'

/** A body that waits for mail. Those of one process are a list in the order they asked, each knows the next. */
export interface PendingReceive {
  readonly wanted: Wanted
  /** Who waits after it. */
  behind: PendingReceive | undefined
  /** Hands it a message. */
  settle (mail: Mail): void
  /** There will be no more mail. */
  stop (): void
}

/** Puts a waiter last. @returns the first */
export function enlisted (first: PendingReceive | undefined, waiter: PendingReceive): PendingReceive {
  waiter.behind = undefined
  if (first === undefined) return waiter
  let last = first
  while (last.behind !== undefined) last = last.behind
  last.behind = waiter
  return first
}

/** Takes a waiter out; it still knows who waits after it. @returns the first of those that are left */
export function dismissed (first: PendingReceive | undefined, waiter: PendingReceive): PendingReceive | undefined {
  if (first === waiter) return waiter.behind
  for (let other = first; other !== undefined; other = other.behind) {
    if (other.behind !== waiter) continue
    other.behind = waiter.behind
    break
  }
  return first
}

/** The first that wants such a message. */
export function waiterFor (first: PendingReceive | undefined, topic: string): PendingReceive | undefined {
  let waiter = first
  while (waiter?.wanted !== undefined && !waiter.wanted(topic)) waiter = waiter.behind
  return waiter
}

/** @returns whether it waits */
export function isWaiting (first: PendingReceive | undefined, waiter: PendingReceive): boolean {
  let other = first
  while (other !== undefined && other !== waiter) other = other.behind
  return other !== undefined
}
