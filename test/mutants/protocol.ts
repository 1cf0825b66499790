import type { Mutant } from './mutant.js'

const suites = ['protocol']
const connection = 'connection/protocol/protocol-connection.ts'
const calls = 'connection/protocol/client-calls.ts'
const serverCalls = 'connection/protocol/server-calls.ts'
const keys = 'connection/protocol/prototype-keys.ts'
const wire = 'connection/protocol/wire.ts'

export const protocolMutants: readonly Mutant[] = [
  {
    name: 'an invalid message reaches the target when it is no call',
    file: connection,
    search: 'if (checked instanceof Refused) {\n      const { path }',
    replace: 'if (checked instanceof Refused && id !== undefined) {\n      const { path }',
    suites
  },
  {
    name: 'messages after one that closes are delivered',
    file: connection,
    search: '    if (this.#isMuted) return true\n',
    replace: '',
    suites
  },
  {
    name: 'a binary frame is read as text',
    file: connection,
    search: "const envelope = typeof message === 'string' ? readEnvelope(message) : {}",
    replace: 'const envelope = readEnvelope(message.toString())',
    suites
  },
  {
    name: 'a message that is no JSON closes as any other',
    file: connection,
    search: 'if (envelope === undefined) return this.#refuse(notJson)',
    replace: 'if (envelope === undefined) return this.#refuse(policyViolation)',
    suites
  },
  {
    name: 'an unknown topic is invalid for messages only',
    file: connection,
    search: "      if (id !== undefined) this.sendAnswer(topic, errorText(id, 'UNKNOWN_TOPIC'))\n",
    replace: '',
    suites
  },
  {
    name: 'any number of calls may wait',
    file: connection,
    search: 'if (calls.isFull) {',
    replace: 'if (calls.isFull && id < 0) {',
    suites
  },
  {
    name: 'the target of a call is not monitored',
    file: connection,
    search: '    call.monitorTarget(pid)\n',
    replace: '',
    suites
  },
  {
    name: 'the answer of a client is not checked',
    file: connection,
    search: 'const checked = this.#check(check, topic, data)\n      if (!(',
    replace: 'const checked = data\n      if (!(',
    suites
  },
  {
    name: 'calls of a client are not forgotten when it leaves',
    file: connection,
    search: "    this.#clientCalls?.end(reason.cause === 'target')\n",
    replace: '',
    suites
  },
  {
    name: 'a call is answered twice',
    file: calls,
    search: '    this.#calls = undefined\n    calls.settled(this)\n',
    replace: '    calls.settled(this)\n',
    suites
  },
  {
    name: 'an answered call still monitors its target',
    file: calls,
    search:
      '    if (this.#target !== undefined) calls.client.monitors.demonitor(this.#target, this)\n',
    replace: '',
    suites
  },
  {
    name: 'an answered call keeps its place among 64',
    file: calls,
    search: '    calls.settled(this)\n',
    replace: '',
    suites
  },
  {
    name: 'a call to a client that has settled is still waited for',
    file: serverCalls,
    search: '    waiting.call.onSettled = () => { this.#waiting.delete(id) }\n',
    replace: '',
    suites
  },
  {
    name: 'an error reaches the client as it is',
    file: wire,
    search: 'isPlain(error) && isWireError(error) ? jsonOf(error) : undefined',
    replace: 'jsonOf({ code: String(error), message: String(error) })',
    suites
  },
  {
    name: 'a fraction numbers a call',
    file: wire,
    search: 'return Number.isSafeInteger(id) && (id as number) >= 0',
    replace: "return typeof id === 'number' && id >= 0",
    suites
  },
  {
    name: 'keys that set a prototype are removed at the first level only',
    file: keys,
    search: '      else waiting.push(item)\n',
    replace: '',
    suites
  },
  {
    name: 'a key that is spelt with an escape is not removed',
    file: keys,
    search: "const suspects = ['__proto__', 'constructor', '\\\\u']",
    replace: "const suspects = ['__proto__', 'constructor']",
    suites
  }
]
