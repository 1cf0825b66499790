import type { Mail, TopicFilter } from '../message.js'

/** A receive that waits for mail. Those of one process are a linked list, oldest first. */
export interface PendingReceive {
  readonly filter: TopicFilter
  nextPending: PendingReceive | undefined
  fulfill (mail: Mail): void
  /** The process is stopping: no more mail comes. */
  settleStopped (): void
}

/** Adds a receive at the end of the list. @returns the head of the list */
export function appendReceive (
  head: PendingReceive | undefined, receive: PendingReceive
): PendingReceive {
  receive.nextPending = undefined
  if (head === undefined) return receive
  let last = head
  while (last.nextPending !== undefined) last = last.nextPending
  last.nextPending = receive
  return head
}

/**
 * Removes a receive from the list. The removed one keeps its `nextPending`, so that a loop over
 * the list can go on.
 * @returns the head of the list
 */
export function removeReceive (
  head: PendingReceive | undefined, receive: PendingReceive
): PendingReceive | undefined {
  if (head === receive) return receive.nextPending
  for (let other = head; other !== undefined; other = other.nextPending) {
    if (other.nextPending !== receive) continue
    other.nextPending = receive.nextPending
    break
  }
  return head
}

/** The first receive that accepts this topic. */
export function findReceive (
  head: PendingReceive | undefined, topic: string
): PendingReceive | undefined {
  let receive = head
  while (receive?.filter !== undefined && !receive.filter(topic)) receive = receive.nextPending
  return receive
}

export function includesReceive (
  head: PendingReceive | undefined, receive: PendingReceive
): boolean {
  let other = head
  while (other !== undefined && other !== receive) other = other.nextPending
  return other !== undefined
}
