// The meaning of each close code (RFC 6455 section 7.4).
export const codes = new Map([
  [1000, { text: 'it was closed on purpose' }],
  [1001, { text: 'the server is shutting down' }],
  [1002, { text: 'a frame broke the protocol' }],
  [1006, { text: 'the connection was lost or refused' }],
  [1007, { text: 'a message was not valid text' }],
  [1008, { text: 'a message broke a rule of the server' }],
  [1009, { text: 'a message was too large' }],
  [1011, { text: 'what you talked to ended with an error' }],
  [1012, { text: 'the server is restarting' }],
  [1013, { text: 'too slow, or nobody there had time for it yet: try again' }]
])

/** @param {string} [who] the other end, for example `the room` */
export function explain (code, who) {
  if (code === 1011 && who) return `${who} ended with an error`
  if (code === 1012 && who) return `the node that had ${who} was lost`
  return codes.get(code)?.text ?? 'a code of the application'
}

/** Whether the server itself is gone, and not only a process on it. */
export const isServerLost = (code) => code === 1001 || code === 1006
