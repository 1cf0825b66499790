// The flow control of a session, the same for each engine.
import { maxUnflushed, type Session } from '../../../lib/cluster/engines/session/session.js'
import type { Test } from 'tap'

/** Publishes until the session refuses a frame. It accepts more when the server has read some. */
export async function fillsUp (t: Test, session: Session): Promise<void> {
  const frame = new Uint8Array(64 * 1024)
  let taken = 0
  while (session.publish('fwr.x', frame)) taken += frame.length
  t.equal(taken, maxUnflushed)
  await session.flush()
  t.equal(session.publish('fwr.x', frame), true)
}
