// A connection whose client counts messages and comes back, on a clock that only the test moves.
import { Rig } from '../transports/clients.js'
import { SessionClient } from '../../properties/park/park-clients.js'
import { ticks } from '../../properties/clock.js'
import type { Connection } from '../../../lib/connection/connection.js'
import type { RouteSettings } from '../../../lib/registration/options.js'
import type { Story } from '../../properties/connections/connection-bench.js'
import type { Pid } from '../../../types/pid.js'

export class ModelSession {
  readonly rig = new Rig({ resume: { window: '60s', notify: true }, pingInterval: 0 })
  readonly target: Story
  readonly #client: SessionClient
  readonly #connection: Connection

  /** @param header the fields of `X-WS-Relay`, without the target */
  constructor (header: object) {
    const { rig } = this
    this.target = rig.target()
    this.#client = new SessionClient(rig.relay, rig.settings as RouteSettings)
    // The hello has the serial number of the PID, so it has to be sent before the target answers.
    this.#connection = rig.connect(this.target, this.#client.transport, header)
    this.#client.open(this.pid)
  }

  get pid (): Pid {
    return this.#connection.pid
  }

  get isOpen (): boolean {
    return this.#connection.isOpen
  }

  describe (): ReturnType<Connection['describe']> {
    return this.#connection.describe()
  }

  /** The data of the messages that the target has received. */
  get received (): string[] {
    return this.target.mail
      .filter(({ topic }) => topic === 'ws.message')
      .map(({ payload }) => payload.data)
  }

  send (text: string): void {
    this.#client.send(text)
  }

  async settle (): Promise<void> {
    for (let i = 0; i < 6; i++) {
      this.#client.move()
      await this.rig.settle()
      await ticks()
    }
  }

  async advance (ms: number): Promise<void> {
    this.rig.clock.advance(ms)
    await this.settle()
  }

  acknowledge (): void {
    this.#client.acknowledge()
  }

  /** Its socket is lost. */
  async lose (): Promise<void> {
    this.#client.lose()
    await this.settle()
  }

  async comeBack (): Promise<void> {
    this.#client.comeBack(false)
    await this.settle()
  }

  /** The client is away for a while. */
  async blip (ms: number): Promise<void> {
    await this.lose()
    await this.advance(ms)
    await this.comeBack()
  }
}
