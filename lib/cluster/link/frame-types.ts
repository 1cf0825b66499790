/** Types of frames. Numbers are the protocol: a number is never used again for another type. */
export const frameTypes = {
  /** A part of a frame that is too long for the engine. `ref`: bytes of the parts to come. */
  fragment: 1,
  send: 10,
  exit: 11,
  cancel: 12,
  /**
   * One message to many receivers. The body is the list of receivers (`ref` bytes), then the
   * payload. If `ref` is 0, there is no list: the receivers are those of the last frame of this
   * type.
   */
  sendMany: 14,
  /**
   * Messages to this node that were refused or lost. The body is a list of receivers (`ref` bytes),
   * then a list of how many messages each of them missed. If it is empty, any connection of this
   * node may have missed messages.
   */
  missed: 15,
  /**
   * `ref`: the number of the call; the answer has the same. `text`: the topic. If the caller has a
   * trace context, that comes first: `@`, the context, a line break, the topic.
   */
  call: 20,
  reply: 21,
  fail: 22,
  reject: 23,
  /** The callee ended without an answer. */
  callEnded: 24,
  /** The caller does not wait for the answer any more. */
  forget: 25,
  monitor: 30,
  demonitor: 31,
  down: 32,
  link: 40,
  unlink: 41,
  unlinked: 42,
  linkDown: 43,
  /** `text`: `unread` if the node takes messages of its client back. */
  bind: 50,
  /** Answers `bind`. `text`: why the binding was refused, or empty. */
  bound: 51,
  /** Metadata of a client. It applies to all later messages of this client. */
  metadata: 52,
  /**
   * A message of a client: bytes, text, or the content of a checked message. `to`: the number of a
   * call, as in `call`; 0: the client does not call.
   */
  clientMessage: 53,
  /** Any other topic of a client. It is never refused. */
  clientEvent: 54,
  /** Any other topic of a client. A full mailbox refuses it. */
  clientNews: 55,
  pause: 56,
  resume: 57,
  ask: 60,
  members: 61,
  broadcast: 70,
  except: 71,
  joined: 72,
  left: 73,
  /**
   * A broadcast that could not be published. The body has a header (`ref` bytes) with the group and
   * the excluded member, then the payload.
   */
  relayedBroadcast: 74,
  /**
   * `ref` broadcasts to the group `text` did not reach this node. The body names the member that
   * was excluded.
   */
  missedBroadcast: 75,
  /** The sender is closing: no connection can be bound to its processes any more. */
  closing: 80,
  /**
   * A message of a client that its process has not taken, on its way back. `to`: the client. The
   * body is that of `clientMessage`.
   */
  unread: 90,
  /** The process has ended, and messages of the client come back: send it no more. */
  stopSending: 91,
  /** Answers `stopSending`. When it comes, all messages of the client have come before it. */
  sendingStopped: 92
} as const

/** The name of a type of frame. */
export type FrameName = keyof typeof frameTypes
