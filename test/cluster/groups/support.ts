import type { TestNode } from '../support.js'

/** The payloads that the members of a node have received. */
export function payloadsOf ({ reported }: TestNode): unknown[] {
  return reported.map((one) => (one as { payload: unknown }).payload)
}

/** The topic of the group `room`. */
export const roomTopic = `test.g.${Buffer.from('room').toString('base64url')}`
