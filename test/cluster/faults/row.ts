// What a row of the fault table is, and what rows share.
import type { Host, Scene, TestNode } from './scene.js'
import type { Test } from 'tap'
import type { Pid } from '../../../types/pid.js'

/** What a row is played with. */
export interface Stage {
  readonly t: Test
  readonly scene: Scene
  /** Shared by rows that leave the operating-system processes alone. */
  readonly hosts: readonly [Host, Host, Host]
  /** One of the row's own, to do anything to. */
  host (): Host
}

/** @returns what users saw, for the table */
export type Row = (stage: Stage) => Promise<string>

/** Milliseconds as a text. */
export function since (start: number, { at }: { at: number }): string {
  return at - start < 1000 ? `${Math.max(0, at - start)} ms` : `${((at - start) / 1000).toFixed(1)} s`
}

/** Everything accepted on a load's way has arrived, once and in order. */
export async function arrived (t: Test, load: { accepted: number }, at: TestNode, pid: Pid): Promise<void> {
  const tally = await at.ask('received', pid, load.accepted)
  t.strictSame(tally, { count: load.accepted, last: load.accepted, inOrder: true }, `all ${load.accepted}, once and in order`)
}
