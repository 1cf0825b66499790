import type { Entity, Target } from './entity.js'

/** Why a connection cannot be bound to something of this node. */
export type TargetProblem = 'it is not alive' | 'it is stopping' | 'it is a connection'

/** What a connection can be bound to: a process that takes mail. Or why it cannot. */
export function asTarget (entity: Entity | undefined): Target | TargetProblem {
  if (entity === undefined) return 'it is not alive'
  if (!isTarget(entity)) return 'it is a connection'
  // It takes no mail any more: the join would be lost, and what follows.
  return entity.stopping ? 'it is stopping' : entity
}

export function isTarget (entity: Entity): entity is Target {
  return 'accept' in entity
}
