// The ends of a connection that the contract allows.
import type { LeaveCause } from '../../../types/messages.js'

/** For each cause: the codes that a leave may report, and the exit reason. */
export const allowed: Record<
  Exclude<LeaveCause, 'transfer'>,
  { codes: ReadonlyArray<number | undefined>, exits: readonly string[] }
> = {
  client: { codes: [undefined, 1000, 4999], exits: ['normal'] },
  lost: { codes: [undefined], exits: ['connection_lost'] },
  ping_timeout: { codes: [undefined], exits: ['ping_timeout'] },
  process: { codes: [1000, 4000, 1011], exits: ['normal'] },
  target: { codes: [1000, 1011, 1013], exits: ['normal', 'target_down'] },
  protocol: { codes: [1002], exits: ['protocol_error'] },
  slow: { codes: [1013], exits: ['slow_client'] },
  shutdown: { codes: [1001], exits: ['shutdown'] },
  expired: { codes: [1008], exits: ['expired'] },
  killed: { codes: [undefined], exits: ['killed'] },
  exit: {
    codes: [1011],
    exits: [
      'over',
      'boom',
      'connection_lost',
      'ping_timeout',
      'target_down',
      'protocol_error',
      'slow_client',
      'killed'
    ]
  }
}
