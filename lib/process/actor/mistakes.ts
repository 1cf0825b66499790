import { summaryOf } from '../explain/error-summary.js'
import { similarTo } from '../../shared/similar.js'
import { Warnings } from '../../shared/warnings.js'
import { isRelayTopic, relayTopics } from '../message.js'
import { recordReturnedAnswer } from './returned-answers.js'
import type { Clock } from '../../shared/clock.js'
import type { Logger } from '../../../types/options.js'
import type { Pid } from '../../../types/pid.js'

/** A process, as far as a warning names it. */
export interface NamedProcess {
  readonly pid: Pid
  readonly label: string
}

/** Topics of other WebSocket libraries, by the topic of this one. */
const otherNames: Readonly<Record<string, string>> = {
  'ws.open': 'ws.join',
  'ws.connect': 'ws.join',
  'ws.connection': 'ws.join',
  'ws.disconnect': 'ws.leave',
  'ws.data': 'ws.message'
}

/**
 * Logs what is probably a mistake in the body of a process, and would otherwise show no sign.
 * Nothing here is on the path of a message that a process handles.
 */
export class Mistakes {
  readonly warnings: Warnings
  readonly #clock: Clock
  /** Services that were started in this iteration of the event loop. */
  #newServices: object[] = []

  /** @param clock its tasks must not run in the context of one process */
  constructor (logger: Logger, clock: Clock) {
    this.warnings = new Warnings(logger, clock)
    this.#clock = clock
  }

  serviceStarted (service: object): void {
    if (this.#newServices.push(service) === 1) this.#clock.later(this.#iterationEnded)
  }

  readonly #iterationEnded = (): void => {
    this.#newServices = []
  }

  /**
   * A body returned while its `serve` was open. It may do so on purpose, after other work: it is a
   * mistake only in the iteration of the event loop in which it called `serve`.
   */
  bodyReturned (process: NamedProcess, service: object): void {
    if (!this.#newServices.includes(service)) return
    this.warnings.warn(
      process,
      fieldsOf(process),
      'a process ended at once, because its body did not await self.serve(): await or return it'
    )
  }

  /** `serve` has no handler for a message. Topics of the relay may be left out. */
  messageUnhandled (process: NamedProcess, topic: string): void {
    if (isRelayTopic(topic)) return
    this.warnings.warn(
      { label: `${process.label} ${topic}` },
      { ...fieldsOf(process), topic },
      'dropped a message without a handler: add one for its topic, ' +
      'or a function for all others as the second argument of serve'
    )
  }

  /** `serve` has a handler for a topic that begins with `ws.` and is not of the relay. */
  unknownHandler (process: NamedProcess, topic: string): void {
    const expected = relayTopicLike(topic)
    // A topic of the application: the relay does not send it, but a process may.
    if (expected === undefined) return
    this.warnings.warn(
      { label: `${process.label} ${topic}` },
      { ...fieldsOf(process), topic, expected },
      'serve has a handler for a topic that the relay does not send'
    )
  }

  /** A process sent a connection an unknown topic that begins with `ws.`. */
  unknownCommand (connection: Pid, topic: string): void {
    this.warnings.warn(
      { label: topic },
      { relayPid: connection, topic, expected: relayTopicLike(topic) },
      'dropped a message to a connection: it knows no such topic'
    )
  }

  /** A handler of a call returned a value. */
  answerReturned (process: NamedProcess, topic: string, call: object): void {
    recordReturnedAnswer(call, () => {
      this.warnings.warn(
        { label: `${process.label} ${topic}` },
        { ...fieldsOf(process), topic },
        'a call timed out whose handler returned a value: only message.reply(value) answers it'
      )
    })
  }

  /** A process failed. Methods that were taken off `self` fail with an error that says little. */
  processFailed (pid: Pid, label: string, error: Error): void {
    // A getter of the error may throw, and its process has to end nevertheless.
    const { message, frames: [first = ''] } = summaryOf(error)
    if (!lostSelf.test(message) || !ownFrame.test(first)) return
    this.warnings.warn(
      { label },
      fieldsOf({ pid, label }),
      'a method of self was called without self: call self.send(…), do not take send off self'
    )
  }

  /** A supervisor gave up that no other one restarts. */
  supervisorGone (supervisor: NamedProcess): void {
    this.warnings.warn(
      supervisor,
      fieldsOf(supervisor),
      'no supervisor restarts this one: its children stay gone until the application starts them'
    )
  }
}

/** The messages of V8 for a private field of `Self`, if `this` is something else. */
const lostSelf = /^Cannot read (?:private member|properties of undefined).*#(?:runtime|actor)\b/
/** The first frame is in the file of `Self`. Other classes may have such private fields, too. */
const ownFrame = /\bself\.[jt]s\b/

function relayTopicLike (topic: string): string | undefined {
  return otherNames[topic] ?? similarTo(topic, relayTopics)
}

function fieldsOf ({ pid, label }: NamedProcess): object {
  return { relayPid: pid, ...label !== '' && { relayLabel: label } }
}
