// What a row of the fault table is, and what rows share.
import assert from 'node:assert/strict'
import type { Host, TestNode } from './host.js'
import type { Scene } from './scene.js'
import type { Load } from './worker-node.js'
import type { Test } from 'tap'
import type { Pid } from '../../../types/pid.js'

/** What a row is played with. Its assertions throw: a row that fails on a machine that stood still is played again. */
export interface Stage {
  readonly t: Test
  readonly scene: Scene
  /** Shared by rows that leave the operating-system processes alone. */
  readonly hosts: readonly [Host, Host, Host]
  /** One of the row's own, to do anything to. @param ahead how far its clock is ahead, as `faketime` takes it */
  host (ahead?: string): Host
}

/** @returns what users saw, for the table */
export type Row = (stage: Stage) => Promise<string>

/** What a client is told when the node of its target is lost. */
export const nodeLost = '1012 target node lost'

/** Milliseconds as a text. */
export function since (start: number, { at }: { at: number }): string {
  return at - start < 1000
    ? `${Math.max(0, at - start)} ms`
    : `${((at - start) / 1000).toFixed(1)} s`
}

/** Everything accepted on a load's way has arrived, once and in order. */
export async function arrived ({ accepted }: Load, at: TestNode, pid: Pid): Promise<void> {
  const tally = await at.ask('received', pid, accepted)
  assert.deepEqual(
    tally,
    { count: accepted, last: accepted, inOrder: true },
    `all ${accepted}, once and in order`
  )
}

/**
 * Of a load whose way was lost a part has arrived, once and in order, and nothing of it comes after what is sent now.
 * @returns how many were lost
 */
export async function partlyArrived (
  { accepted }: Load,
  from: TestNode,
  at: TestNode,
  pid: Pid
): Promise<number> {
  const last = 10_000_000
  assert.ok(await from.ask('send', pid, 'number', [last]), 'its PIDs are good again')
  const { count, inOrder } = await at.ask('received', pid, last)
  assert.ok(inOrder && count - 1 <= accepted, `${count - 1} of ${accepted}, in order, once`)
  return accepted - (count - 1)
}
