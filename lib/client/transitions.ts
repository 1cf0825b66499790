// The states of a client. `lib/client/client.ts` drives them; an event that is not in the row of
// its state is ignored.
//
// state      | event   | new state  | action
// -----------+---------+------------+-------------------------------------------------------------
// connecting | due     | connecting | dial: only at the start
//            | greeted | open       | adopt: the new socket, in negotiated or in plain mode
//            | failed  | away       | wait: the delay of the backoff begins
//            | ended   | closed     | end
// open       | lost    | away       | wait
//            | advised | moving     | plan: a new socket is opened soon, this one is used meanwhile
//            | woken   | open       | probe: the page is visible or the network is back
//            | ended   | closed     | end
// moving     | due     | moving     | dial
//            | greeted | open       | adopt: the old socket is closed
//            | failed  | moving     | plan: not counted in the backoff
//            | lost    | connecting | hurry: the try under way goes on, or one begins at once
//            | woken   | moving     | probe
//            | ended   | closed     | end
// away       | due     | connecting | dial
//            | woken   | connecting | dial
//            | ended   | closed     | end

import type { ClientClose, WebSocketLike } from '../../types/client.js'
import type { Hello } from './wire.js'

/** `greeted`: a hello came, or the socket turned out to be plain. `due`: the next try is due. */
export type Event = 'greeted' | 'failed' | 'lost' | 'ended' | 'advised' | 'due' | 'woken'
export type State = 'connecting' | 'open' | 'moving' | 'away' | 'closed'
export type Action = 'adopt' | 'wait' | 'plan' | 'probe' | 'dial' | 'hurry' | 'end'

/** The event `message` of a socket. */
export interface Frame {
  readonly data: string | ArrayBuffer
}

/** The detail of an event of the table. Each action uses a part of it. */
export interface Detail extends Partial<ClientClose> {
  readonly wait?: number
  readonly why?: string
  readonly error?: unknown
  /** Milliseconds until a new socket may be opened, and until the old one may be used. */
  readonly after?: number
  readonly by?: number
  readonly socket?: WebSocketLike
  /** Absent: plain mode. */
  readonly hello?: Hello
  /** The first frame of a server that sends no hello. */
  readonly first?: Frame
  /** The server chose `v1.ws-relay` and then sent nothing: a hello may come late. */
  readonly isSilent?: boolean
}

const end = ['closed', 'end'] as const

export const transitions: Record<State, Partial<Record<Event, readonly [State, Action]>>> = {
  connecting: {
    due: ['connecting', 'dial'],
    greeted: ['open', 'adopt'],
    failed: ['away', 'wait'],
    ended: end
  },
  open: {
    lost: ['away', 'wait'], advised: ['moving', 'plan'], woken: ['open', 'probe'], ended: end
  },
  moving: {
    due: ['moving', 'dial'],
    greeted: ['open', 'adopt'],
    failed: ['moving', 'plan'],
    lost: ['connecting', 'hurry'],
    woken: ['moving', 'probe'],
    ended: end
  },
  away: { due: ['connecting', 'dial'], woken: ['connecting', 'dial'], ended: end },
  closed: {}
}
