// Connections to processes with keys, on transports in memory and a clock that only the test moves.
import { parseConfig } from '../../../lib/connection/config.js'
import { Connection } from '../../../lib/connection/connection.js'
import { requestTarget } from '../../../lib/connection/target/target-request.js'
import { MemoryTransport } from '../transports/memory-transport.js'
import { Rig } from '../transports/clients.js'
import type { Target } from '../../../lib/process/entity.js'
import type { AnyMessage } from '../../process/helpers.js'
import type { Keyed, KeyedOptions } from '../../../types/keyed.js'
import type { Process } from '../../../types/processes.js'

/** The mail of one process, as `topic data` or `topic+rejoined`. */
export type Mail = string[]

export interface Visitor {
  readonly transport: MemoryTransport
  readonly connection: Connection
}

function line ({ topic, payload }: AnyMessage): string {
  const { data, rejoined } = payload as Record<string, unknown> ?? {}
  return `${topic}${rejoined === true ? '+rejoined' : ''}${data === undefined ? '' : ` ${data}`}`
}

export class Lobby {
  readonly rig: Rig
  readonly rooms: Mail[] = []
  readonly keyed: Keyed
  /** Called before the loop of each process, to load its state. */
  load: (() => Promise<void>) | undefined
  /** Called after the loop of each process, for its clean-up. */
  cleanUp: (self: Process) => unknown = () => {}

  constructor (options: KeyedOptions = {}, mailboxLimit = 8) {
    this.rig = new Rig({ mailboxLimit })
    this.keyed = this.rig.processes.keyed('room', {
      ...options,
      start: async (self: Process) => {
        const mail: Mail = []
        this.rooms.push(mail)
        if (this.load !== undefined) await this.load()
        await self.serve({}, (message: AnyMessage) => {
          mail.push(line(message))
          const { data } = message.payload as { data?: string } ?? {}
          if (data === 'crash') throw new Error('boom')
          if (data === 'stop' || message.topic === 'stop') self.stop()
        })
        await this.cleanUp(self)
      }
    })
  }

  /** A connection that is bound when the process of its key has started. */
  async visit (key = 'a', config: object = {}): Promise<Visitor> {
    const { rig } = this
    const address = this.keyed.key(key)
    requestTarget(rig.runtime, address)
    await rig.settle()
    return this.bind(address, config)
  }

  /** A connection to a process that has started. */
  bind (address: string, config: object = {}): Visitor {
    const { rig } = this
    const parsed = parseConfig({ target_pid: address, ...config }, rig.settings)
    if (!parsed.ok) throw new Error(parsed.problem)
    const transport = new MemoryTransport(rig.clock, 50)
    const connection = new Connection({
      relay: rig.relay,
      transport,
      settings: rig.settings,
      target: rig.runtime.processTable.findEntity(address) as Target,
      config: parsed.value
    })
    connection.open()
    return { transport, connection }
  }

  get mail (): string[] {
    return this.rooms.map((room) => room.join())
  }
}
