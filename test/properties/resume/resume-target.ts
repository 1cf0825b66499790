import { equal } from '../suite.js'
import type { AnyMessage } from '../../process/helpers.js'
import type { Pid } from '../../../types/pid.js'
import type { Processes } from '../../../types/processes.js'

/** A target that records the events of its clients, and can be held. */
export class ResumeTarget {
  readonly pid: Pid
  readonly topics: string[] = []
  /** The messages of each client. */
  readonly messages = new Map<Pid, string[]>()
  #release: (() => void) | undefined
  #held: Promise<void> | undefined

  constructor (processes: Processes) {
    this.pid = processes.spawn<{ flush: undefined }, []>((self) => self.serve({
      flush: (_payload, { reply }) => { reply() }
    }, (message: AnyMessage) => {
      const { topic, payload } = message as { topic: string, payload: any }
      if (topic === 'ws.message') this.messagesOf(payload.client_pid).push(payload.data)
      else if (topic.startsWith('ws.')) this.topics.push(`${payload.client_pid} ${topic}`)
      return this.#held
    })) as Pid
  }

  messagesOf (pid: Pid): string[] {
    if (!this.messages.has(pid)) this.messages.set(pid, [])
    return this.messages.get(pid)!
  }

  hold (): void {
    this.#held ??= new Promise((resolve) => { this.#release = resolve })
  }

  release (): void {
    this.#held = undefined
    this.#release?.()
  }

  /** Resolves when it has taken everything that was sent to it until now. */
  async flush (processes: Processes): Promise<void> {
    await processes.call(this.pid as string, 'flush')
  }

  /** Joins, suspensions, resumes and leaves of one client come in an order that is possible. */
  judge (pid: Pid): void {
    const topics = this.topics
      .filter((topic) => topic.startsWith(`${pid} `))
      .map((topic) => topic.slice(pid.length + 1))
      .join(' ')
    const one = 'ws\\.join( ws\\.resume)?( ws\\.suspend ws\\.resume)*( ws\\.suspend)?( ws\\.leave|$)'
    equal(new RegExp(`^(${one} ?)*$`).test(topics), true, `an order of events: ${topics}`)
  }
}
