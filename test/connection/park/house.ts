// Processes under one name, and connections that park there, on a clock that only the test moves.
import { parseConfig } from '../../../lib/connection/config.js'
import { Connection } from '../../../lib/connection/connection.js'
import { MemoryTransport } from '../transports/memory-transport.js'
import { Rig } from '../transports/clients.js'
import type { Target } from '../../../lib/process/entity.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'
import type { AnyMessage } from '../../process/helpers.js'

/** A process and its mail, as `topic data` or `topic+rejoined`. */
export interface Room {
  readonly pid: Pid
  readonly mail: string[]
}

export interface Guest {
  readonly transport: MemoryTransport
  readonly connection: Connection
}

function line ({ topic, payload }: AnyMessage): string {
  const { data, rejoined, connected } = payload as Record<string, unknown>
  const marks = `${rejoined === true ? '+rejoined' : ''}${connected === false ? '+away' : ''}`
  return `${topic as string}${marks}${data === undefined ? '' : ` ${String(data)}`}`
}

/** A room that refuses mail at once when it is told to, and fails later. */
export function stoppingRoom (): {
  body: (self: Process) => Promise<void>
  end: (err?: Error) => void
} {
  let end!: (err?: Error) => void
  const told = new Promise<Error | undefined>((resolve) => { end = resolve })
  return {
    end,
    body: async (self) => {
      await self.serve({}, () => { self.stop() })
      const err = await told
      if (err !== undefined) throw err
    }
  }
}

export class House {
  readonly rig = new Rig({ mailboxLimit: 8 })

  get processes (): Rig['processes'] {
    return this.rig.processes
  }

  /** Starts a process. A message `crash` of a client makes it fail, and `stop` ends it in order. */
  async room (name?: string, body?: (self: Process) => Promise<void>): Promise<Room> {
    const mail: string[] = []
    const pid = this.processes.spawn(body ?? (async (self) => {
      await self.serve({}, (message: AnyMessage) => {
        mail.push(line(message))
        const { data } = message.payload as { data?: string }
        if (data === 'crash') throw new Error('boom')
        if (data === 'stop') self.stop()
      })
    }), { name })
    await this.rig.settle()
    return { pid, mail }
  }

  /** A connection to a name that parks for a second, if `config` does not say otherwise. */
  guest (name: string, config: object = {}): Guest {
    const { rig } = this
    const header = { target_pid: name, on_target_exit: 'park', park: '1s', ...config }
    const parsed = parseConfig(header, rig.settings)
    if (!parsed.ok) throw new Error(parsed.problem)
    const transport = new MemoryTransport(rig.clock, 50)
    const connection = new Connection({
      relay: rig.relay,
      transport,
      settings: rig.settings,
      target: rig.runtime.processTable.findEntity(name) as Target,
      config: parsed.value
    })
    connection.open()
    return { transport, connection }
  }

  /** Ends a process with a failure. */
  async crash ({ pid }: Room): Promise<void> {
    this.processes.exit(pid, 'boom')
    await this.rig.settle()
  }

  /** Connections that are counted as parked. */
  get parkedCount (): number {
    return this.rig.relay.counters.parked
  }
}
