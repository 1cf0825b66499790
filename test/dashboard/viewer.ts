// A viewer without a network, on a clock that only the test moves.
import { dashboard } from '../../lib/dashboard/viewer.js'
import { MemoryTransport } from '../connection/transports/memory-transport.js'
import type { Action } from '../../lib/dashboard/index.js'
import type { Rig } from '../connection/transports/clients.js'
import type { Story } from '../properties/connections/connection-bench.js'
import type { Pid } from '../../types/pid.js'
import type { ProcessBody } from '../../types/processes.js'

export interface Message { readonly topic: string, readonly data: any }

export class MemoryViewer {
  readonly transport: MemoryTransport
  readonly pid: Pid
  /** Lines of the log. */
  readonly lines: Array<[object, string]> = []
  readonly #rig: Rig
  #read = 0

  constructor (rig: Rig, actions: readonly Action[] = []) {
    this.#rig = rig
    this.transport = new MemoryTransport(rig.clock, 50)
    const log = { info: (fields: object, text: string) => { this.lines.push([fields, text]) } }
    this.pid = rig.processes.spawn(dashboard as unknown as ProcessBody<{}, [object]>, {
      args: [{ runtime: rig.runtime, actions, log }]
    })
    rig.connect({ pid: this.pid } as Story, this.transport)
  }

  ask (request: object): void {
    this.transport.send(JSON.stringify(request))
  }

  /** The messages since the last call, when all code that can run has run. */
  async read (): Promise<Message[]> {
    await this.#rig.settle()
    const texts = this.transport.received.slice(this.#read)
    this.#read += texts.length
    return texts.map((text) => JSON.parse(text.slice(1)))
  }

  /** The same, as topics with their ids. */
  async topics (): Promise<string> {
    const messages = await this.read()
    return messages.map(({ topic, data: { id } }) => id === undefined ? topic : `${topic} ${id}`)
      .join()
  }
}
