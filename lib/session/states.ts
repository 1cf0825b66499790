/*
 * The states of a session:
 * - `fresh`: on its first socket, before the first message of the client
 * - `open`: the client has sent a message on the present socket
 * - `reopened`: on a further socket, before the first message of the client there
 * - `suspended`: without a socket
 * - `ended`: its PID has ended, or is ending
 *
 * | event                          | fresh        | open         | reopened     | suspended    |
 * |--------------------------------|--------------|--------------|--------------|--------------|
 * | the client's first message     | open         |              | open (1)     |              |
 * | the socket is lost             | ended        | suspended (2)| suspended (2)|              |
 * | a valid offer arrives          | reopened (3) | reopened (3) | reopened (3) | reopened     |
 * | the window is over             |              |              | ended (4)    | ended (4)    |
 * | any other end of a connection  | ended        | ended        | ended        | ended        |
 *
 * (1) The window stops, and the token of the hello is the valid one from now on.
 * (2) The window starts, unless it is running: resumes without a message never prolong it.
 * (3) The old socket is half-open. It is cut, nothing more is read of it or written to it.
 * (4) With the cause of the loss that started the window.
 *
 * In an empty field the event cannot occur or is ignored.
 */

export type SessionState = 'fresh' | 'open' | 'reopened' | 'suspended' | 'ended'

export type SessionEvent = 'message' | 'lost' | 'offer' | 'windowOver' | 'end'

/** The actions of a session in a transition. */
export type SessionAction =
  'none' | 'prove' | 'suspend' | 'attach' | 'takeOver' | 'endByWindow' | 'end'

export interface Transition {
  readonly state: SessionState
  readonly action: SessionAction
}

type Row = Readonly<Partial<Record<SessionEvent, Transition>>>

const end: Transition = { state: 'ended', action: 'end' }
const suspend: Transition = { state: 'suspended', action: 'suspend' }
const takeOver: Transition = { state: 'reopened', action: 'takeOver' }
const endByWindow: Transition = { state: 'ended', action: 'endByWindow' }

export const sessionTable: Readonly<Record<SessionState, Row>> = {
  fresh: { message: { state: 'open', action: 'prove' }, lost: end, offer: takeOver, end },
  open: { lost: suspend, offer: takeOver, end },
  reopened: {
    message: { state: 'open', action: 'prove' },
    lost: suspend,
    offer: takeOver,
    windowOver: endByWindow,
    end
  },
  suspended: {
    offer: { state: 'reopened', action: 'attach' },
    windowOver: endByWindow,
    end
  },
  ended: {}
}

/** @returns undefined where the event is ignored */
export function transitionFor (state: SessionState, event: SessionEvent): Transition | undefined {
  return sessionTable[state][event]
}
