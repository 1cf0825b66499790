import type { Action, ActionRequest } from './frames.js'
import type { Process } from '../../types/processes.js'

/** Messages to a connection that do the same as another action. */
const actionsByTopic = new Map<string, Action>([['ws.close', 'close'], ['ws.control', 'transfer']])

/** The actions that must be enabled for a request. */
export function requiredActions (request: ActionRequest): Action[] {
  const { action } = request
  const other = action === 'send' ? actionsByTopic.get(request.topic) : undefined
  return other === undefined ? [action] : [action, other]
}

/**
 * Does an action that is allowed, on any node.
 * @returns whether it was accepted. Rejects if it was refused for a reason
 */
export async function doAction (self: Process, request: ActionRequest): Promise<boolean> {
  const { pid } = request
  switch (request.action) {
    case 'exit': return self.exit(pid, request.reason)
    case 'cancel': return self.cancel(pid, request.reason)
    case 'send': return self.send(pid, request.topic, request.payload)
    case 'close': {
      const { code, reason } = request
      await self.call(pid, 'ws.close', { code, reason })
      return true
    }
    case 'transfer':
      await self.call(pid, 'ws.control', { target_pid: request.target })
      return true
  }
}

/** The fields of a request for the log: a payload may contain anything. */
export function loggedFields (request: ActionRequest): object {
  if (request.action !== 'send') return request
  const { payload, ...fields } = request
  return fields
}
