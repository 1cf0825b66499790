/** The ways in which a client can break the protocol or a limit, with their close codes. */
export const violations = {
  /** RFC 6455 is broken: `protocol error: ` and the rule follow each other in the reason. */
  protocolError: { code: 1002, reason: 'protocol error' },
  invalidUtf8: { code: 1007, reason: 'invalid UTF-8' },
  invalidDeflate: { code: 1007, reason: 'invalid deflate data' },
  tooManyFragments: { code: 1008, reason: 'too many fragments' },
  tooLarge: { code: 1009, reason: 'message too large' }
} as const

export type Violation = (typeof violations)[keyof typeof violations]
export type ViolationCode = Violation['code']

/** Events of a `FrameParser`. A handler may call any method of it, and must not throw. */
export interface ParserEvents {
  /**
   * Called with a whole message: a string for a text. Untrusted.
   *
   * @param message bytes may be kept. They may share memory with other bytes of the same read
   * @param bytes of the message
   * @returns false to stop parsing after this message. A call of `resumeParsing` before this
   * returns has no effect
   */
  onMessage (message: Buffer | string, bytes: number): boolean
  /**
   * Called with a whole message that is still deflated. A text is not checked for UTF-8. Untrusted.
   *
   * @param data may be kept, as that of `onMessage`
   * @returns as `onMessage`
   */
  onCompressed (data: Buffer, binary: boolean): boolean
  /** At most 125 bytes. Untrusted. */
  onPing (data: Buffer): void
  /** At most 125 bytes. Untrusted. */
  onPong (data: Buffer): void
  /** Called with the close frame, after which nothing is parsed. 1005: no code. Untrusted. */
  onCloseFrame (code: number, reason: string): void
  /** Called when the client broke the protocol or a limit. Nothing is parsed after it. */
  onViolation (code: ViolationCode, reason: string): void
}
