import type { Mutant } from './mutant.js'

const limiter = 'connection/limits/rate-limiter.ts'
const bucket = 'connection/limits/token-bucket.ts'
const expiry = 'connection/limits/expiry.ts'
const suites = ['limits']

export const limitMutants: readonly Mutant[] = [
  {
    name: 'a client over its limit is read on',
    file: limiter,
    search: "return hasRoom && this.#state !== 'waiting'",
    replace: 'return hasRoom',
    suites
  },
  {
    name: 'a client over its limit is read when its target has room',
    file: limiter,
    search: "    if (this.#state !== 'waiting') this.inner.resume()\n",
    replace: '    this.inner.resume()\n',
    suites
  },
  {
    name: 'a client is not read again when its limit allows it',
    file: limiter,
    search: '    if (!this.#isHeld) this.inner.resume()\n',
    replace: '',
    suites
  },
  {
    name: 'bytes are not counted',
    file: limiter,
    search: '    this.#bytes.take(now, bytes)\n',
    replace: '',
    suites
  },
  {
    name: 'a limiter that has ended keeps its deadline',
    file: limiter,
    search: "    if (this.#state !== 'muted') this.#state = 'ended'\n    this.#host.deadlines.cancel(this)\n",
    replace: "    if (this.#state !== 'muted') this.#state = 'ended'\n",
    suites
  },
  {
    name: 'a bucket forgets its debt',
    file: bucket,
    search: 'Math.max(this.#fullAt, now) + tokens',
    replace: 'now + tokens',
    suites
  },
  {
    name: 'a connection does not expire at its new time',
    file: expiry,
    search: '    this.#isTold = false\n    this.#schedule(now)\n',
    replace: '    this.#isTold = false\n',
    suites
  },
  {
    name: 'a connection expires although its end was taken back',
    file: expiry,
    search: "    if (expires === 'never') this.#at = Infinity\n",
    replace: "    if (expires === 'never') this.#at += 0\n",
    suites
  },
  {
    name: 'a connection that has ended still waits for its expiry',
    file: 'connection/bound-client.ts',
    search: '    this.#rareState?.limits?.stop()\n',
    replace: '',
    suites
  }
]
