import type { Mutant } from './mutant.js'

export const relayMutants: readonly Mutant[] = [
  {
    name: 'a target that ends counts as having taken every join',
    file: 'connection/bound-client.ts',
    search: 'tookJoin(exit, this.pid)',
    replace: 'exit.pid !== this.pid',
    suites: ['connections']
  },
  {
    name: 'a target that ends with any join in its mailbox counts as having taken none',
    file: 'process/exits/unread-joins.ts',
    search: 'unread.get(exit)?.has(client) !== true',
    replace: '!unread.has(exit) || client === undefined',
    suites: ['connections']
  },
  {
    name: 'the old target gets no leave before the new target gets the join',
    file: 'connection/bound-client.ts',
    search:
      '    this.sendLeave(oldTarget, transferred)\n',
    replace:
      '    this.sendLeave(this.target, transferred)\n',
    suites: ['connections']
  },
  {
    name: 'the leave of a transfer has the new metadata',
    file: 'connection/bound-client.ts',
    search:
      '    this.sendLeave(oldTarget, transferred)\n    this.releaseTarget(oldTarget, oldBinding)\n    this.applyChange(change)\n',
    replace:
      '    this.applyChange(change)\n    this.sendLeave(oldTarget, transferred)\n    this.releaseTarget(oldTarget, oldBinding)\n',
    suites: ['connections']
  },
  {
    name: 'the old target is still monitored after a transfer',
    file: 'connection/bound-client.ts',
    search: '    this.releaseTarget(oldTarget, oldBinding)\n',
    replace:
      '    oldTarget.unsubscribeFromDrain(this.transport)\n    oldBinding?.release()\n',
    suites: ['connections']
  },
  {
    name: 'the new target is not monitored',
    file: 'connection/bound-client.ts',
    search: '    this.#binding = binding\n    this.watchTarget()\n',
    replace: '    this.#binding = binding\n    binding?.attachConnection(this)\n',
    suites: ['connections']
  },
  {
    name: 'a paused connection is not resumed at its new target',
    file: 'connection/bound-client.ts',
    search: '    else this.transport.resume()\n',
    replace: '',
    suites: ['connections']
  },
  {
    name: 'a connection is not paused by a full mailbox',
    file: 'connection/target/target-messages.ts',
    search: 'if (!this.target.congested) return true',
    replace: 'if (this !== undefined) return true',
    suites: ['connections']
  },
  {
    name: 'a paused connection does not wait for its target',
    file: 'connection/target/target-messages.ts',
    search: '    this.target.subscribeToDrain(this.transport)\n    return false',
    replace: '    return false',
    suites: ['connections']
  },
  {
    name: 'a connection that ends drops what its client had sent',
    file: 'connection/connection.ts',
    search: "      if (cause !== 'target') this.transport.handOver()\n",
    replace: "      if (cause !== 'target') this.onHandedOver()\n",
    suites: ['connections']
  },
  {
    name: 'a later close reason replaces the first',
    file: 'connection/connection.ts',
    search: 'if (replacesReason(reason, this.#closeReason!)) this.#closeReason = reason',
    replace: 'this.#closeReason = reason',
    suites: ['connections']
  },
  {
    name: 'the target gets no leave',
    file: 'connection/bound-client.ts',
    search: "    if (reason.cause !== 'target') this.sendLeave(this.target, reason)\n",
    replace: '',
    suites: ['connections']
  },
  {
    name: 'watchers get the exit before the target gets the leave',
    file: 'connection/connection.ts',
    search:
      '    this.leaveTarget(closeReason)\n    this.transport.close(closeReason)\n    const { code, leaveReason: reason, cause, exitReason } = closeReason\n    const value: ConnectionExit = away === undefined\n      ? { code, reason, cause }\n      : { code, reason, cause, away }\n    this.relay.counters.connectionClosed(this, closeReason)\n    const { kind, startedAt, target: { pid: target } } = this\n    const ended = { kind, startedAt, target, closeReason }\n    this.relay.runtime.connectionEnded(ended, { pid: this.pid, reason: exitReason, value })\n',
    replace:
      '    const { code, leaveReason: reason, cause, exitReason } = closeReason\n    const value: ConnectionExit = away === undefined\n      ? { code, reason, cause }\n      : { code, reason, cause, away }\n    this.relay.counters.connectionClosed(this, closeReason)\n    const { kind, startedAt, target: { pid: target } } = this\n    const ended = { kind, startedAt, target, closeReason }\n    this.relay.runtime.connectionEnded(ended, { pid: this.pid, reason: exitReason, value })\n    this.leaveTarget(closeReason)\n    this.transport.close(closeReason)\n',
    suites: ['connections']
  },
  {
    name: 'the event of a close is missing',
    file: 'connection/connection.ts',
    search: '    this.relay.counters.connectionClosed(this, closeReason)\n',
    replace: '',
    suites: ['connections']
  },
  {
    name: 'the event of a transfer names the new target as the old one',
    file: 'connection/bound-client.ts',
    search: 'connectionTransferred(this.pid, oldTarget.pid, target.pid)',
    replace: 'connectionTransferred(this.pid, target.pid, target.pid)',
    suites: ['connections']
  },
  {
    name: 'heartbeats go on after the end of a connection',
    file: 'connection/bound-client.ts',
    search: '    this.setHeartbeat(0)\n',
    replace: '',
    suites: ['connections']
  },
  {
    name: 'the target of an ended connection is still monitored',
    file: 'connection/bound-client.ts',
    search: '    this.releaseTarget(this.target, this.#binding)\n',
    replace:
      '    this.target.unsubscribeFromDrain(this.transport)\n    this.#binding?.release()\n',
    suites: ['connections']
  },
  {
    name: 'the close frame overtakes what waits',
    file: 'websocket/sender.ts',
    search:
      '    if (this.#frames === undefined) this.#frames = [this.#singleFrame!, frame]\n    else this.#frames.push(frame)',
    replace:
      '    this.#frames ??= [this.#singleFrame!]\n    if ((frame.bytes[0] & 15) === 8) this.#frames.unshift(frame)\n    else this.#frames.push(frame)',
    suites: ['connections']
  },
  {
    name: 'a refused frame is sent',
    file: 'connection/connection.ts',
    search: '      return this.#refuseOverflow(topic, call)\n',
    replace: '      this.#refuseOverflow(topic, call)\n',
    suites: ['connections']
  },
  {
    name: 'a burst of one loop iteration is refused',
    file: 'connection/connection.ts',
    search: ' && !this.#writer.allowsBurst(maxBufferedAmount)',
    replace: '',
    suites: ['connections']
  },
  {
    name: 'a client that does not read a burst is never judged',
    file: 'websocket/sender.ts',
    search: "if (this.#backlog === burst && this.bufferedBytes > 0) this.#backlog = 'late'",
    replace: '',
    suites: ['connections']
  },
  {
    name: 'bytes that a client has not read since an earlier iteration count as a burst',
    file: 'websocket/sender.ts',
    search: "else if (this.#backlog === 'empty') this.#backlog = 'late'",
    replace: '',
    suites: ['connections']
  },
  {
    name: 'the close frame of the server does not have the reason of the client',
    file: 'connection/close-reasons.ts',
    search: "    clientReason: reason,\n    leaveReason: reason === ''",
    replace: "    clientReason: '',\n    leaveReason: reason === ''",
    suites: ['connections']
  },
  {
    name: 'a client gets no pong',
    file: 'websocket/transport.ts',
    search: '    if (hasRoom) this.writer.sendEncoded(pongFrame(data))\n',
    replace: '    if (data === undefined) this.writer.sendEncoded(pongFrame(data))\n',
    suites: ['connections']
  },
  {
    name: 'a pong does not count',
    file: 'websocket/transport.ts',
    search: '    this.#liveness.pongReceived()\n',
    replace: '',
    suites: ['connections']
  },
  {
    name: 'a socket that never closes is not destroyed',
    file: 'websocket/transport.ts',
    search: '      this.#liveness.startCloseTimeout()\n',
    replace: '',
    suites: ['connections']
  },
  {
    name: 'the deadlines of a closed socket are kept',
    file: 'websocket/transport.ts',
    search: '    this.#liveness.stop()\n',
    replace: '',
    suites: ['connections']
  },
  {
    name: 'a connection with a closed socket is still counted',
    file: 'connection/relay-server.ts',
    search: '    this.connections.delete(connection)\n',
    replace: '',
    suites: ['connections']
  },
  {
    name: 'the sender does not continue when its socket has drained',
    file: 'websocket/sender.ts',
    search: '  socketDrained (): void {\n    this.flush()',
    replace: '  socketDrained (): void {',
    suites: ['connections']
  },
  {
    name: 'a sender that was flushed is never scheduled again',
    file: 'websocket/sender.ts',
    search: '  flush (): void {\n    this.#isScheduled = false\n',
    replace: '  flush (): void {\n',
    suites: ['connections']
  },
  {
    name: 'a call is answered before the kernel has taken its frame',
    file: 'connection/connection.ts',
    search: 'this.#writer.sendEncoded(message, forAck ? undefined : replied)',
    replace: 'replied?.()\n    this.#writer.sendEncoded(message)',
    suites: ['connections']
  },
  {
    name: 'a resumed socket is not read',
    file: 'websocket/transport.ts',
    search: '    else this.#socket.resume()\n',
    replace: '',
    suites: ['connections']
  },
  {
    name: 'bytes after the message that stopped the parser are dropped',
    file: 'websocket/parser.ts',
    search: '    if (this.#offset === this.#end) this.#chunk = undefined\n',
    replace: '    this.#chunk = undefined\n',
    suites: ['wire']
  },
  {
    name: 'a frame as long as the limit is too long',
    file: 'websocket/parser.ts',
    search: 'if (length > this.#maxPayload - this.#fragmentLength ||',
    replace: 'if (length >= this.#maxPayload - this.#fragmentLength ||',
    suites: ['wire']
  },
  {
    name: 'the limit applies to each fragment',
    file: 'websocket/parser.ts',
    search: 'if (length > this.#maxPayload - this.#fragmentLength ||',
    replace: 'if (length > this.#maxPayload ||',
    suites: ['wire']
  },
  {
    name: 'one fragment more than the limit is accepted',
    file: 'websocket/parser.ts',
    search: 'if (this.#fragmentCount >= this.#maxFragments)',
    replace: 'if (this.#fragmentCount > this.#maxFragments)',
    suites: ['wire']
  },
  {
    name: 'fragments are counted over messages',
    file: 'websocket/parser.ts',
    search: '    this.#fragmentCount = 0\n    this.#fragmentBytes = empty',
    replace: '    this.#fragmentBytes = empty',
    suites: ['wire']
  },
  {
    name: 'a client does not have to mask',
    file: 'websocket/parser.ts',
    search: "    if (second < 0x80) return this.#protocolError('frame not masked')\n",
    replace: '',
    suites: ['wire']
  },
  {
    name: 'a control frame may have 126 octets',
    file: 'websocket/parser.ts',
    search: "if (length > 125) return this.#protocolError('control frame too long')",
    replace: "if (length > 126) return this.#protocolError('control frame too long')",
    suites: ['wire']
  },
  {
    name: 'a length of 16 bits begins at 127',
    file: 'websocket/parser.ts',
    search: 'const header = short < 126 ? 6 : short === 126 ? 8 : 14',
    replace: 'const header = short <= 126 ? 6 : short === 127 ? 14 : 8',
    suites: ['wire']
  },
  {
    name: 'a message keeps bytes of a borrowed buffer',
    file: 'websocket/parser.ts',
    search: 'const data = isBorrowed ? Buffer.from(payload) : payload',
    replace: 'const data = payload',
    suites: ['wire']
  },
  {
    name: 'waiting bytes stay in a borrowed buffer',
    file: 'websocket/parser.ts',
    search: '    if (this.#chunk === chunk) this.#copyBorrowedRest(chunk)\n',
    replace: '',
    suites: ['wire']
  },
  {
    name: 'text in fragments is not checked',
    file: 'websocket/parser.ts',
    search: 'this.#emitText(data, 0, length, false)',
    replace: 'this.#emitText(data, 0, length, true)',
    suites: ['wire']
  },
  {
    name: 'parsing continues after the end',
    file: 'websocket/parser.ts',
    search: '    this.#isEnded = true\n    this.#isStopped = false',
    replace: '    this.#isStopped = false',
    suites: ['wire']
  },
  {
    name: 'a reserved close code is accepted',
    file: 'connection/close-codes.ts',
    search: '(code >= 1007 && code <= 1014)',
    replace: '(code >= 1004 && code <= 1015)',
    suites: ['wire']
  },
  {
    name: 'the mask of the last octets is that of the first',
    file: 'websocket/unmask.ts',
    search: 'for (let shift = 0; i < end; i++, shift += 8)',
    replace: 'for (let shift = 0; i < end; i++)',
    suites: ['wire']
  }
]
