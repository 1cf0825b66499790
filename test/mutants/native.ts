import type { Mutant } from './mutant.js'

const sender = 'websocket/native-sender.ts'
const batch = 'websocket/native-batch.ts'
const suites = ['batches']

export const nativeMutants: readonly Mutant[] = [
  {
    name: 'the batch overtakes the bytes of the socket',
    file: sender,
    search: 'if (socket.writableLength > 0 || socket.writableCorked > 0) return undefined',
    replace: 'if (socket.writableCorked > 0) return undefined',
    suites
  },
  {
    name: 'a chunk is sent twice to a sender that is listed twice',
    file: sender,
    search: '    if (this.#batchState === \'waiting\') return undefined\n',
    replace: '',
    suites
  },
  {
    name: 'an error of the kernel counts as bytes',
    file: sender,
    search: 'const taken = Math.max(0, sent)',
    replace: 'const taken = Math.abs(sent)',
    suites
  },
  {
    name: 'an error that the kernel reports once is lost',
    file: sender,
    search: 'fatalErrors.has(sent)',
    replace: 'fatalErrors.has(0)',
    suites
  },
  {
    name: 'a frame counts as written although its write has failed',
    file: 'websocket/sender.ts',
    search: '    if (this.#socket.errored !== null) return\n',
    replace: '',
    suites
  },
  {
    name: 'a descriptor is used after its socket was closed',
    file: sender,
    search: '    if (socket._handle === null || !socket.writable) return undefined\n',
    replace: '',
    suites
  },
  {
    name: 'the bytes of one call are not limited',
    file: batch,
    search: '      if (this.#used + chunk.length > arenaSize) this.#send()\n',
    replace: '',
    suites
  },
  {
    name: 'bytes of earlier calls stay in the batch',
    file: batch,
    search: '    this.#used = 0\n',
    replace: '',
    suites
  },
  {
    name: 'chunks of one batch overwrite each other',
    file: batch,
    search: '      this.#used += chunk.length\n',
    replace: '',
    suites
  },
  {
    name: 'the result of an entry goes to the next sender',
    file: batch,
    search: 'sender.batchSent(chunks[i], results[i])',
    replace: 'sender.batchSent(chunks[i], results[(i + 1) % results.length])',
    suites
  },
  {
    name: 'a sender that was served by the batch is never scheduled again',
    file: 'websocket/sender.ts',
    search: "    this.#isScheduled = false\n    this.#backlog = 'empty'\n",
    replace: "    this.#backlog = 'empty'\n",
    suites
  },
  {
    name: 'a sender that was served by the batch writes nothing by itself any more',
    file: sender,
    search: "if (this.#batchState === 'sent') this.#batchState = 'none'",
    replace: "if (this.#batchState === 'sent') this.#batchState = 'sent'",
    suites
  },
  {
    name: 'callbacks run while the batch is being sent',
    file: 'websocket/sender.ts',
    search: 'if (!this.#socketMayHoldBytes) this.#onWritten = written?.splice(0)',
    replace: 'if (!this.#socketMayHoldBytes && written !== undefined) this.#callWritten(written)',
    suites
  }
]
