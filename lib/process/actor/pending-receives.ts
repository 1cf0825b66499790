import type { Mail } from '../message.js'
import type { TopicFilter } from './receive.js'

/** A body that waits for mail. Those of one process are a list in the order they asked, each knows the next. */
export interface PendingReceive {
  readonly filter: TopicFilter
  /** Who waits after it. */
  nextPending: PendingReceive | undefined
  /** Hands it a message. */
  fulfill (mail: Mail): void
  /** There will be no more mail. */
  settleStopped (): void
}

/** Puts a waiter last. @returns the first */
export function appendReceive (first: PendingReceive | undefined, waiter: PendingReceive): PendingReceive {
  waiter.nextPending = undefined
  if (first === undefined) return waiter
  let last = first
  while (last.nextPending !== undefined) last = last.nextPending
  last.nextPending = waiter
  return first
}

/** Takes a waiter out; it still knows who waits after it. @returns the first of those that are left */
export function removeReceive (first: PendingReceive | undefined, waiter: PendingReceive): PendingReceive | undefined {
  if (first === waiter) return waiter.nextPending
  for (let other = first; other !== undefined; other = other.nextPending) {
    if (other.nextPending !== waiter) continue
    other.nextPending = waiter.nextPending
    break
  }
  return first
}

/** The first that wants such a message. */
export function findReceive (first: PendingReceive | undefined, topic: string): PendingReceive | undefined {
  let waiter = first
  while (waiter?.filter !== undefined && !waiter.filter(topic)) waiter = waiter.nextPending
  return waiter
}

/** @returns whether it waits */
export function includesReceive (first: PendingReceive | undefined, waiter: PendingReceive): boolean {
  let other = first
  while (other !== undefined && other !== waiter) other = other.nextPending
  return other !== undefined
}
