// What a session of any engine does when more is published than the engine takes.
import { maxUnflushed, type Session } from '../../../lib/cluster/engines/session.js'
import type { Test } from 'tap'

/** Publishes until no more is taken, and then what the server has seen makes room. */
export async function fillsUp (t: Test, session: Session): Promise<void> {
  const frame = new Uint8Array(64 * 1024)
  let taken = 0
  while (session.publish('fwr.x', frame)) taken += frame.length
  t.equal(taken, maxUnflushed)
  await session.flush()
  t.equal(session.publish('fwr.x', frame), true)
}
