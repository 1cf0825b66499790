/** What frames are. Numbers are the protocol: they are never used again for something else. */
export const frameTypes = {
  /** A piece of a frame that is too long for the engine; `ref`: bytes still to come. */
  fragment: 1,
  send: 10,
  exit: 11,
  cancel: 12,
  /**
   * A send to many receivers: the body begins with their list, of `ref` bytes, and then comes the payload. 0: the
   * receivers are those of the last frame of this type.
   */
  sendMany: 14,
  /**
   * Messages that were refused or lost on their way here. The body has a list of receivers, of `ref` bytes, and a list
   * of how many each of them missed. Empty: any connection of the receiving node may have missed some.
   */
  missed: 15,
  call: 20,
  reply: 21,
  fail: 22,
  reject: 23,
  /** The callee ended. */
  callEnded: 24,
  /** The caller does not wait any more. */
  forget: 25,
  monitor: 30,
  demonitor: 31,
  down: 32,
  link: 40,
  unlink: 41,
  unlinked: 42,
  linkDown: 43,
  bind: 50,
  /** The answer; `text`: the problem. */
  bound: 51,
  /** The metadata of a client, for what follows. */
  metadata: 52,
  /** A message of a client: its bytes or its text. */
  clientMessage: 53,
  /** Any other topic of a client, that is never refused. */
  clientEvent: 54,
  /** The same, refused by a full mailbox. */
  clientNews: 55,
  pause: 56,
  resume: 57,
  ask: 60,
  members: 61,
  broadcast: 70,
  except: 71,
  joined: 72,
  left: 73,
  /** A broadcast that could not be published: the same frame, behind a header with the group and who is left out. */
  relayedBroadcast: 74,
  /** `ref` broadcasts to a group (`text`) were refused or lost on their way here; the body: who was left out. */
  missedBroadcast: 75,
  /** This node is closing: connections are bound to its processes no more. */
  closing: 80
} as const
