// The causes of ends, and the states of processes and connections, in words and in colours.

import type { EndCause } from '../../../types/explain.js'

/** The colours of pills and of the edge of an end. */
export type Tone = 'bad' | 'wait' | 'good' | 'live' | ''

interface Cause {
  /** On a pill: two or three words. */
  readonly short: string
  /** The whole sentence, without a subject. */
  readonly long: string
  readonly tone: Tone
}

const cause = (short: string, long: string, tone: Tone = ''): Cause => ({ short, long, tone })

/** The causes of processes, then those that only connections have. */
export const causes: Readonly<Record<EndCause, Cause>> = {
  failed: cause('failed', 'its code threw an error', 'bad'),
  gave_up: cause('gave up', 'a child of this supervisor failed too often', 'bad'),
  link: cause('linked process failed', 'a process that it is linked to failed', 'bad'),
  killed: cause('killed', 'it was ended with the reason kill', 'wait'),
  sibling: cause('restarted with sibling', 'another child of its supervisor failed', 'wait'),
  exit: cause('told to exit', 'other code ended it', 'wait'),
  supervisor: cause('stopped by supervisor', 'its supervisor stopped it, or ended'),
  returned: cause('returned', 'its body returned'),
  stopped: cause('stopped itself', 'it called stop'),
  cancel: cause('cancelled', 'it was cancelled'),
  target: cause('target ended', 'the process that it belonged to ended', 'wait'),
  slow: cause('slow client', 'the client read too slowly', 'wait'),
  protocol: cause('protocol error', 'the client sent something invalid', 'wait'),
  ping_timeout: cause('no answer to pings', 'the client did not answer pings', 'wait'),
  expired: cause('expired', 'the time that it was allowed to live is over'),
  lost: cause('socket lost', 'the socket ended without a close frame'),
  client: cause('closed by client', 'the client closed it'),
  process: cause('closed by process', 'a process closed it'),
  shutdown: cause('server stopped', 'the server was closing')
}

/** Words for a cause. A later version of the server may have others: they are shown as they are. */
export function causeOf (name: string): Cause {
  return Object.hasOwn(causes, name)
    ? causes[name as EndCause]
    : cause(name.replaceAll('_', ' '), name)
}

const tones = new Map<string, Tone>([
  ['running', 'live'],
  ['exiting', 'wait'],
  ['open', 'live'],
  ['paused', 'wait'],
  ['limited', 'wait'],
  ['parked', 'wait'],
  ['away', 'wait'],
  ['up', 'live'],
  ['down', 'bad']
])

/** The colour of a status or state. */
export function toneOf (status: string): Tone {
  return tones.get(status) ?? ''
}

/** The word for a status or state. A suspended connection is that of a client who is away. */
export function stateOf (status: string): string {
  return status === 'suspended' ? 'away' : status
}
