// The type of a row of the fault table, and assertions that rows share.
import assert from 'node:assert/strict'
import type { Host, TestNode } from '../host.js'
import type { Scene } from '../scene.js'
import type { Load } from '../worker-node.js'
import type { Test } from 'tap'
import type { Pid } from '../../../../types/pid.js'

/**
 * The parts that a row is played with. Its assertions throw: a row that fails because the machine
 * has stalled is played again.
 */
export interface Stage {
  readonly t: Test
  readonly scene: Scene
  /** Shared by rows that neither freeze nor kill processes. */
  readonly hosts: readonly [Host, Host, Host]
  /**
   * Starts a process for this row alone, which may freeze or kill it.
   * @param ahead how far its clock is ahead, in the format of `faketime`
   */
  host (ahead?: string): Host
}

/** @returns the observations, for the table */
export type Row = (stage: Stage) => Promise<string>

/** Close code and reason of a client whose target's node is lost. */
export const nodeLost = '1012 target node lost'

/** Milliseconds as a text. */
export function since (start: number, { at }: { at: number }): string {
  return at - start < 1000
    ? `${Math.max(0, at - start)} ms`
    : `${((at - start) / 1000).toFixed(1)} s`
}

/** Asserts that every accepted message of a load has arrived, once and in order. */
export async function arrived ({ accepted }: Load, at: TestNode, pid: Pid): Promise<void> {
  const tally = await at.ask('received', pid, accepted)
  assert.deepEqual(
    tally,
    { count: accepted, last: accepted, inOrder: true },
    `all ${accepted}, once and in order`
  )
}

/**
 * Asserts that a part of a load has arrived, once and in order, after the channel was lost. Nothing
 * of it arrives after a message that is sent now.
 * @returns the number of lost messages
 */
export async function partlyArrived (
  { accepted }: Load,
  from: TestNode,
  at: TestNode,
  pid: Pid
): Promise<number> {
  const last = 10_000_000
  assert.ok(await from.ask('send', pid, 'number', [last]), 'its PIDs work again')
  const { count, inOrder } = await at.ask('received', pid, last)
  assert.ok(inOrder && count - 1 <= accepted, `${count - 1} of ${accepted}, in order, once`)
  return accepted - (count - 1)
}
