// Random messages and calls of a client with a protocol, hostile ones among them: what the schemas
// accept arrives, and nothing else; each call is answered once; and nothing remains.
import { isDeepStrictEqual } from 'node:util'
import { parseConfig } from '../../../lib/connection/config.js'
import { ProtocolConnection } from '../../../lib/connection/protocol/protocol-connection.js'
import { asTarget } from '../../../lib/process/entity.js'
import { Call, protocol as define } from '../../../lib/protocol/index.js'
import { normalizeOptions } from '../../../lib/registration/options.js'
import { UpgradeServer } from '../../../lib/registration/upgrade-server.js'
import { MemoryTransport } from '../../connection/transports/memory-transport.js'
import { buildRuntime, held } from '../../process/helpers.js'
import { ManualClock, ticks } from '../clock.js'
import { equal, suiteOf } from '../suite.js'
import { answerSchema, clientSchemas, history, meaningOf } from './protocol-steps.js'
import type { Target } from '../../../lib/process/entity.js'
import type { WsCheckedMessage } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { Step } from './protocol-steps.js'

interface Taken {
  readonly payload: WsCheckedMessage
  readonly call: Waiting | undefined
  reply (value: unknown): void
  fail (error: unknown): void
}

/** A call of the client that waits. */
interface Waiting {
  readonly id: number
  readonly target: Pid
}

interface Asked {
  readonly endsAt: number
  outcome: string | undefined
}

const topics = {
  client: clientSchemas,
  server: { confirm: Call({ data: answerSchema, reply: answerSchema }) }
}
const protocols = {
  drop: define('drop', topics),
  close: define('close', topics, { invalid: 'close' })
}
const maxCalls = 64
const callFailed = { code: 'CALL_FAILED', message: 'the call failed' }

/** Messages of clients so far, over all histories. */
export const fuzzed = { messages: 0, accepted: 0 }

class Bench {
  readonly #clock = new ManualClock()
  readonly #runtime
  readonly #processes
  readonly #relay: UpgradeServer
  readonly #transport = new MemoryTransport(this.#clock, 50)
  readonly #connection: ProtocolConnection
  readonly #closes: boolean
  readonly #targets: Pid[] = []
  readonly #taken: Taken[] = []
  #waiting: Waiting[] = []
  readonly #asked: Asked[] = []
  /** The next messages for the target, and for the client. */
  #forTarget: Array<Pick<WsCheckedMessage, 'topic' | 'data'>> = []
  #forClient: unknown[] = []
  #invalid = 0
  #ends: number | 'lost' | undefined

  constructor (closes: boolean) {
    const { server, route } = normalizeOptions({ pingInterval: 0, closeTimeout: 50 })
    const { runtime, processes } = buildRuntime({ clock: this.#clock })
    this.#runtime = runtime
    this.#processes = processes
    this.#relay = new UpgradeServer(runtime, server)
    this.#closes = closes
    const used = closes ? protocols.close : protocols.drop
    const parsed = parseConfig({ target_pid: 'x', protocol: used }, route)
    if (!parsed.ok) throw new Error(parsed.problem)
    const { value: config } = parsed
    this.#connection = new ProtocolConnection({
      relay: this.#relay, transport: this.#transport, settings: route, target: this.#spawn(), config
    }, config.protocol!)
    this.#connection.open()
  }

  #spawn (): Target {
    const pid = this.#processes.spawn((self) => self.serve({}, (message) => {
      const { topic, payload, reply, fail } = message as any
      if (topic === 'ws.join' || topic === 'ws.leave') return
      equal(topic, 'ws.message', 'the topic of a message')
      this.#take(pid as Pid, payload, reply, fail)
    }))
    this.#targets.push(pid)
    const target = asTarget(this.#runtime.processTable.findEntity(pid))
    if (!target.ok) throw new Error(target.problem)
    return target.value
  }

  #take (
    target: Pid, payload: WsCheckedMessage, reply: Taken['reply'], fail: Taken['fail']
  ): void {
    const expected = this.#forTarget.shift()
    const { client_pid, type, topic, data } = payload
    equal(client_pid, this.#connection.pid, 'the client')
    equal(type, 'json', 'the type')
    const isSame = isDeepStrictEqual({ topic, data }, expected && { ...expected, id: undefined } &&
      { topic: expected.topic, data: expected.data })
    if (!isSame) throw new Error(`${JSON.stringify(payload)} instead of ${String(expected?.topic)}`)
    const { id } = expected as { id?: number }
    const call = id === undefined
      ? undefined
      : this.#waiting.find((one) =>
        one.id === id && one.target === target && this.#taken.every((other) => other.call !== one))
    this.#taken.push({ payload, call, reply, fail })
  }

  async run (step: Step): Promise<void> {
    if (this.#ends !== undefined) return
    this.#do(step)
    await this.settle()
    this.#check()
  }

  #do (step: Step): void {
    switch (step.do) {
      case 'messages': return step.all.forEach((message) => { this.#send(message) })
      case 'calls':
        for (let id = 0; id < step.count; id++) {
          this.#send(`{"topic":"any","data":${id},"id":${id}}`)
        }
        return
      case 'reply': return this.#answer(step.at, ({ reply }) => { reply(step.value) },
        { data: step.value ?? null })
      case 'fail': return this.#fail(step)
      case 'ask': return this.#ask(step.timeout)
      case 'respond': return this.#send(`{"re":${step.id},${step.with}}`)
      case 'time':
        this.#clock.advance(step.ms)
        for (const asked of this.#asked) {
          if (asked.endsAt <= this.#clock.time) asked.outcome ??= 'FST_PROCESS_CALL_TIMEOUT'
        }
        return
      case 'transfer': {
        const { pid } = this.#spawn()
        this.#processes.send(this.#connection.pid, 'ws.control', { target_pid: pid })
        return
      }
      case 'crash': return this.#crash(step.which === 'present')
      case 'lose':
        this.#ends = 'lost'
        this.#transport.vanish()
    }
  }

  #send (message: string | Buffer): void {
    fuzzed.messages++
    this.#expect(message)
    this.#transport.send(message)
  }

  #expect (message: string | Buffer): void {
    // An earlier message of this step has closed.
    if (this.#ends !== undefined) return
    const meaning = meaningOf(message)
    const { id } = meaning as { id?: number }
    if (meaning.is === 'answer') return this.#expectAnswer(meaning.re, meaning)
    if (meaning.is === 'invalid') {
      if (id !== undefined) this.#forClient.push({ re: id, error: { code: meaning.why } })
      return this.#expectInvalid(meaning.code)
    }
    if (id !== undefined && this.#waiting.length >= maxCalls) {
      this.#forClient.push({ re: id, error: { code: 'TOO_MANY_CALLS' } })
      return
    }
    fuzzed.accepted++
    this.#forTarget.push(meaning)
    if (id !== undefined) this.#waiting.push({ id, target: this.#targets.at(-1)! })
  }

  #expectInvalid (code: number): void {
    this.#invalid++
    if (this.#closes) this.#ends = code
  }

  #expectAnswer (re: number, { data, error }: { data: unknown, error: unknown }): void {
    const asked = this.#asked[re - 1]
    if (asked === undefined || asked.outcome !== undefined) return
    const { code, message } = (error ?? {}) as Record<string, unknown>
    const isError = typeof code === 'string' && typeof message === 'string'
    const isValid = error === undefined ? typeof data === 'boolean' : isError
    asked.outcome = isValid && error === undefined ? String(data) : 'FST_PROCESS_CALL_FAILED'
    if (!isValid) this.#expectInvalid(1008)
  }

  #answer (at: number, answer: (taken: Taken) => void, expected: object): void {
    const calls = this.#taken.filter(({ call }) => call !== undefined)
    const taken = calls.at(-1 - at)
    if (taken === undefined) return
    if (this.#waiting.includes(taken.call!)) {
      this.#forClient.push({ re: taken.call!.id, ...expected })
      this.#waiting = this.#waiting.filter((one) => one !== taken.call)
    }
    answer(taken)
  }

  #fail ({ at, error }: Extract<Step, { do: 'fail' }>): void {
    const plain = { code: 'FULL', message: 'no', seats: 0 }
    const errors = { plain, error: new Error('secret'), text: 'secret' }
    const expected = error === 'plain' ? plain : callFailed
    this.#answer(at, ({ fail }) => { fail(errors[error]) }, { error: expected })
  }

  #ask (timeout: number): void {
    const asked: Asked = { endsAt: this.#clock.time + Math.max(1, timeout), outcome: undefined }
    this.#asked.push(asked)
    this.#forClient.push({ topic: 'confirm', data: true, id: this.#asked.length })
    this.#processes.call(this.#connection.pid, 'confirm', true, { timeout }).then(
      (value) => { equal(String(value), asked.outcome, 'the answer of a client') },
      (err) => {
        const isEnd = this.#ends !== undefined && asked.outcome === undefined
        equal(err.code, isEnd ? 'FST_PROCESS_CALL_FAILED' : asked.outcome, 'a failed call')
      })
  }

  #crash (isPresent: boolean): void {
    const present = this.#targets.at(-1)!
    const target = isPresent ? present : this.#targets.at(-2)
    if (target === undefined || !this.#processes.alive(target)) return
    // The client learns it from all its calls, because its connection ends.
    const isOver = (one: Waiting): boolean => isPresent || one.target === target
    for (const { id } of this.#waiting.filter(isOver)) {
      this.#forClient.push({ re: id, error: { code: 'TARGET_EXITED' } })
    }
    this.#waiting = this.#waiting.filter((one) => !isOver(one))
    if (isPresent) this.#ends = 1011
    this.#processes.exit(target, 'crash')
  }

  async settle (): Promise<void> {
    for (let idle = 0; idle < 3;) {
      this.#clock.run()
      await ticks()
      idle = this.#clock.busy ? 0 : idle + 1
      this.#clock.yieldOnce()
    }
  }

  #check (): void {
    const { invalidMessages } = this.#relay.counters
    equal(invalidMessages, this.#invalid, 'invalid messages')
    equal(this.#forTarget.length, 0, 'messages that did not arrive')
    const read = this.#transport.received.splice(0).map((text) => JSON.parse(text.slice(1)))
    const sorted = (all: unknown[]): string => all.map(summary).sort().join('\n')
    equal(sorted(read), sorted(this.#forClient), 'messages to the client')
    this.#forClient = []
    if (typeof this.#ends === 'number') equal(this.#transport.seen?.code, this.#ends, 'the code')
    equal(this.#connection.isOpen, this.#ends === undefined, 'an open connection')
  }

  async end (): Promise<void> {
    if (this.#ends === undefined) await this.run({ do: 'lose' })
    const { relations } = held(this.#runtime)
    equal(relations, 0, 'monitors that remain')
    for (const { reply } of this.#taken) reply('late')
    for (const target of this.#targets) this.#processes.exit(target, 'kill')
    this.#clock.advance(100)
    await this.settle()
    const { alive, names, groups } = held(this.#runtime)
    equal(alive + names + groups, 0, 'what remains')
    equal(this.#relay.connections.size, 0, 'connections that remain')
    equal(this.#clock.runningTimers, 0, 'timers that remain')
  }
}

/** Without the texts of the package's own errors, and without paths. */
function summary (message: any): string {
  const { error } = message
  const isOwn = error !== undefined && /^(?:INVALID|UNKNOWN|TOO_MANY|TARGET)/.test(error.code)
  return JSON.stringify(isOwn ? { re: message.re, error: { code: error.code } } : message)
}

export const protocol = suiteOf('protocol', history, async ({ closes, steps }) => {
  const bench = new Bench(closes)
  // The target takes the join.
  await bench.settle()
  for (const step of steps) await bench.run(step)
  await bench.end()
})
