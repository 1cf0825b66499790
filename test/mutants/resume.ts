import type { Mutant } from './mutant.js'

const file = 'session/session.ts'
const writer = 'session/session-writer.ts'
const suites = ['resume']

export const resumeMutants: readonly Mutant[] = [
  {
    name: 'the old socket is still read and written after a takeover',
    file,
    search: '    this.#cut(closeCodes.lost)\n',
    replace: '',
    suites
  },
  {
    name: 'a text that begins with U+0000 is not escaped',
    file: writer,
    search: 'const frame = escapeFrame(message)',
    replace: 'const frame = message',
    suites
  },
  {
    name: 'an escaped text of a client keeps its escape',
    file,
    search: 'message = data.slice(1)',
    replace: 'message = data.slice(0)',
    suites
  },
  {
    name: 'each loss starts the window again',
    file,
    search: 'this.absence ??= {',
    replace: 'this.absence = {',
    suites
  },
  {
    name: 'the window goes on after the first message on a new socket',
    file,
    search: '    this.absence = undefined\n    this.host.cancel(this)\n',
    replace: '',
    suites
  },
  {
    name: 'a token stays valid when the next one is proved',
    file,
    search: '    this.#generation++\n',
    replace: '',
    suites
  },
  {
    name: 'nothing is sent again on a new socket',
    file: writer,
    search: '      this.socketWriter.sendEncoded(frame, this.takenCallback(number))\n',
    replace: '',
    suites
  },
  {
    name: 'messages while the client is away are not kept',
    file: writer,
    search: '    this.keep(frame, written)\n',
    replace: '    if (!this.isAway) this.keep(frame, written)\n',
    suites
  },
  {
    name: 'a gap is not noticed',
    file: writer,
    search: 'return received <= sent && Math.max(received, acknowledged) >= droppedUpTo',
    replace: 'return received <= sent',
    suites
  },
  {
    name: 'a session without a message of its client is suspended',
    file: 'session/states.ts',
    search: "action: 'prove' }, lost: end,",
    replace: "action: 'prove' }, lost: suspend,",
    suites
  },
  {
    name: 'a control counts as a message',
    file,
    search: 'if (!isEscaped(data)) return this.#receiveControl(data, bytes)',
    replace: 'if (!isEscaped(data)) { this.received++; return this.#receiveControl(data, bytes) }',
    suites
  },
  {
    name: 'an acknowledgement keeps the message that it names',
    file: 'session/unacknowledged.ts',
    search: 'while (this.droppedUpTo < number) {',
    replace: 'while (this.droppedUpTo < number - 1) {',
    suites
  },
  {
    name: 'messages that the kernel has not taken are evicted',
    file: 'session/unacknowledged.ts',
    search: 'while (this.keptFrameBytes - untaken > bytes || this.keptCount > frames) {',
    replace: 'while (this.keptFrameBytes > 0 || this.keptCount > frames) {',
    suites
  },
  {
    name: 'a block of kept frames is used again too early',
    file: 'session/frame-store.ts',
    search: '    if (at !== start) this.#freeBlock(start)\n',
    replace: '    this.#freeBlock(start)\n',
    suites
  },
  {
    name: 'copies of kept frames overwrite each other',
    file: 'session/frame-store.ts',
    search: '    this.#slabUsed += length\n',
    replace: '    this.#slabUsed = length\n',
    suites
  },
  {
    name: 'the bytes of a resumed session still count as kept',
    file: 'session/sessions.ts',
    search: 'if (this.#suspended.delete(session)) this.#keptBytes -= session.keptBytes',
    replace: 'this.#suspended.delete(session)',
    suites
  },
  {
    name: 'a client whose hello was lost cannot resume',
    file: 'session/sessions.ts',
    search: 'for (const candidate of [generation, generation + 1]) {',
    replace: 'for (const candidate of [generation + 1]) {',
    suites
  },
  {
    name: 'a token is valid on each path',
    file: 'session/tokens.ts',
    search: '[String(serial), String(generation), origin, path]',
    replace: '[String(serial), String(generation), origin]',
    suites
  },
  {
    name: 'a token is valid for each origin',
    file: 'session/tokens.ts',
    search: '[String(serial), String(generation), origin, path]',
    replace: '[String(serial), String(generation), path]',
    suites
  },
  {
    name: 'the hello of an offer that is out of date begins at the offer',
    file,
    search: '{ resumed: true, from: this.acknowledged + 1, why: undefined }',
    replace: '{ resumed: true, from: received + 1, why: undefined }',
    suites
  },
  {
    name: 'a session that has ended still counts as suspended',
    file: 'session/sessions.ts',
    search: '    this.sessionResumed(session)\n    if (session.endedForLimit)',
    replace: '    if (session.endedForLimit)',
    suites
  }
]
