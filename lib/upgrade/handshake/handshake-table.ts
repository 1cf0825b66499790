/*
 * The states of an upgrade:
 * - received: no route has it; another listener may take the socket, and nobody reads it
 * - authorising: it is routed, and hooks or checks run; another owner may still take the socket
 * - ordinary: the relay has nothing to check, and Fastify answers as it answers any request
 * - handling: all checks have passed, and the handler has run for less than a turn
 * - waiting: the handler has run for longer, or the hooks of its reply run
 * - asking: the handler has replied, and the remote node of the target is asked
 * - refusing: an error of the relay takes the place of the handler's reply
 * - responding: an ordinary response is being written; bytes of the client are dropped
 * - lingering: the response is complete, and the client has one second to close its side
 * - released: the socket belongs to a connection or to another owner, or it is closed
 * Nobody reads the socket in `received`, `authorising` and `handling`.
 *
 * The transitions: the new state, and the action of `handshake.ts` that follows. In an empty field
 * the event is ignored, or cannot occur. `=` keeps the state; the action may raise another event.
 *
 * | event      | received             | authorising          | ordinary             |
 * |------------|----------------------|----------------------|----------------------|
 * | routed     | authorising          |                      |                      |
 * | unrouted   |                      | received             |                      |
 * | dispatched | = watch              | = watch              | = limit              |
 * | unchecked  |                      | ordinary read        |                      |
 * | passed     |                      | handling             |                      |
 * | asked      |                      | asking ask           | asking ask           |
 * | completed  |                      | released release     | released release     |
 * | responded  |                      | responding drop      | responding drop      |
 * | finished   | lingering linger     | lingering linger     | lingering linger     |
 * | taken      | released release     | released release     |                      |
 * | checked    | = inspect            | = inspect            |                      |
 * | due        | = route              | = answerOrLeave      | = answer             |
 * | closing    | = hurry              | = hurry              | = hurry              |
 * | ended      | = end                | = end                | released abort       |
 * | closed     | released abandon     | released abandon     | released abort       |
 *
 * | event      | handling          | waiting           | asking           | refusing          |
 * |------------|-------------------|-------------------|------------------|-------------------|
 * | dispatched | = pend            | = limit           | = limit          | = limit           |
 * | yielded    | waiting wait      |                   |                  |                   |
 * | asked      | asking ask        | asking            |                  |                   |
 * | answered   |                   |                   | waiting          |                   |
 * | completed  | released release  | released release  |                  |                   |
 * | responded  | responding drop   | responding drop   | responding drop  | responding drop   |
 * | finished   | lingering linger  | lingering linger  | lingering linger | lingering linger  |
 * | refused    | refusing refuse   | refusing refuse   | refusing refuse  |                   |
 * | due        | = timeOut         | = timeOut         | = timeOut        | = answer          |
 * | closing    | = refuseOrHurry   | = refuseOrHurry   | = refuseOrHurry  | = hurry           |
 * | ended      | released abort    | released abort    | released abort   | released abort    |
 * | closed     | released abort    | released abort    | released abort   | released abort    |
 *
 * | event      | responding           | lingering            | released             |
 * |------------|----------------------|----------------------|----------------------|
 * | dispatched | = pend               | = pend               |                      |
 * | finished   | lingering linger     |                      |                      |
 * | due        | = destroy            | = destroy            |                      |
 * | closing    | = limitResponse      |                      |                      |
 * | ended      | released cut         |                      |                      |
 * | closed     | released cut         | released release     |                      |
 */

export type State =
  | 'received' | 'authorising' | 'ordinary' | 'handling' | 'waiting' | 'asking' | 'refusing'
  | 'responding' | 'lingering' | 'released'

/**
 * The events of an upgrade:
 * - routed: it has a response; unrouted: no route has its path
 * - dispatched: all listeners of `'upgrade'` have run, and it is routed or left to them
 * - unchecked, passed: what the hook before the handler has found
 * - yielded: a turn after the handler has returned without a reply
 * - asked, answered: the remote node of the target
 * - completed: the 101 is about to be written
 * - responded, finished: an ordinary response starts, and is complete
 * - taken: another owner reads the socket
 * - refused: the handler has replied too late, or the server closes
 * - checked: the periodic check; due: the deadline; closing: the server closes
 * - ended, closed: the client has ended its side, or the socket is closed
 */
export type Event =
  | 'routed' | 'unrouted' | 'dispatched' | 'unchecked' | 'passed' | 'yielded' | 'asked' | 'answered'
  | 'completed' | 'responded' | 'finished' | 'taken' | 'refused' | 'checked' | 'due' | 'closing'
  | 'ended' | 'closed'

export type Action =
  | 'watch' | 'limit' | 'pend' | 'read' | 'wait' | 'ask' | 'release' | 'drop' | 'linger' | 'inspect'
  | 'route' | 'answerOrLeave' | 'answer' | 'timeOut' | 'hurry' | 'refuseOrHurry' | 'limitResponse'
  | 'refuse' | 'end' | 'abandon' | 'abort' | 'cut' | 'destroy'

export type Cell = readonly [next: State, action?: Action]
type Row = Readonly<Partial<Record<Event, Cell>>>

const release: Cell = ['released', 'release']
const drop: Cell = ['responding', 'drop']
const linger: Cell = ['lingering', 'linger']
const abort: Cell = ['released', 'abort']
const ask: Cell = ['asking', 'ask']
const refuse: Cell = ['refusing', 'refuse']

/** The events that each of these states has in common. */
const unanswered = { responded: drop, finished: linger, ended: abort, closed: abort } satisfies Row

/** The table above. */
export const transitions: Readonly<Record<State, Row>> = {
  received: {
    routed: ['authorising'],
    dispatched: ['received', 'watch'],
    finished: linger,
    taken: release,
    checked: ['received', 'inspect'],
    due: ['received', 'route'],
    closing: ['received', 'hurry'],
    ended: ['received', 'end'],
    closed: ['released', 'abandon']
  },
  authorising: {
    unrouted: ['received'],
    dispatched: ['authorising', 'watch'],
    unchecked: ['ordinary', 'read'],
    passed: ['handling'],
    asked: ask,
    completed: release,
    responded: drop,
    finished: linger,
    taken: release,
    checked: ['authorising', 'inspect'],
    due: ['authorising', 'answerOrLeave'],
    closing: ['authorising', 'hurry'],
    ended: ['authorising', 'end'],
    closed: ['released', 'abandon']
  },
  ordinary: {
    ...unanswered,
    dispatched: ['ordinary', 'limit'],
    asked: ask,
    completed: release,
    due: ['ordinary', 'answer'],
    closing: ['ordinary', 'hurry']
  },
  handling: {
    ...unanswered,
    dispatched: ['handling', 'pend'],
    yielded: ['waiting', 'wait'],
    asked: ask,
    completed: release,
    refused: refuse,
    due: ['handling', 'timeOut'],
    closing: ['handling', 'refuseOrHurry']
  },
  waiting: {
    ...unanswered,
    dispatched: ['waiting', 'limit'],
    asked: ['asking'],
    completed: release,
    refused: refuse,
    due: ['waiting', 'timeOut'],
    closing: ['waiting', 'refuseOrHurry']
  },
  asking: {
    ...unanswered,
    dispatched: ['asking', 'limit'],
    answered: ['waiting'],
    refused: refuse,
    due: ['asking', 'timeOut'],
    closing: ['asking', 'refuseOrHurry']
  },
  refusing: {
    ...unanswered,
    dispatched: ['refusing', 'limit'],
    due: ['refusing', 'answer'],
    closing: ['refusing', 'hurry']
  },
  responding: {
    dispatched: ['responding', 'pend'],
    finished: linger,
    due: ['responding', 'destroy'],
    closing: ['responding', 'limitResponse'],
    ended: ['released', 'cut'],
    closed: ['released', 'cut']
  },
  lingering: {
    dispatched: ['lingering', 'pend'],
    due: ['lingering', 'destroy'],
    closed: release
  },
  released: {}
}
