import { errorCodes, show } from '../../errors.js'
import { checkSpawn } from '../options.js'
import { Actor } from './actor.js'
import type { ActorHost, ActorOptions } from './actor.js'
import type { WatermarkLimits } from '../../shared/watermark.js'
import type { ClusterAccess } from '../remote/cluster-access.js'
import type { ExitSignals } from '../exits/exit-signals.js'
import type { PidFactory } from '../pid.js'
import type { NameTable } from '../registry/names.js'
import type { ProcessTable } from '../registry/process-table.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, ProcessBody } from '../../../types/processes.js'
import type { SpawnOptions } from '../../../types/options.js'

/** The parts of the runtime that a new process is put into. */
export interface SpawnerHost extends ActorHost {
  readonly exitSignals: ExitSignals
  readonly processTable: ProcessTable
  readonly nameTable: NameTable
  readonly clusterAccess: ClusterAccess
  readonly pids: PidFactory
  /** The limits of a mailbox without options of its own. */
  readonly mailboxLimits: WatermarkLimits
  /** @throws when nothing can start now */
  checkOpen (): void
}

const noOptions: SpawnOptions = Object.freeze({})
const noArgs: readonly never[] = Object.freeze([])

/** Starts processes. */
export class Spawner {
  readonly #host: SpawnerHost

  constructor (host: SpawnerHost) {
    this.#host = host
  }

  /** `spawn`, with the arguments of a user. @throws `FST_PROCESS_INVALID_SPEC`, as `start` */
  spawn (body: ProcessBody, options: SpawnOptions = noOptions): Pid {
    checkSpawn(body, options)
    return this.start(body as ActorOptions['body'], options, 'process', body.name).pid
  }

  /**
   * Starts an actor. Its name, link and monitor are in place before the body runs. Nothing is
   * started when this throws.
   */
  start (
    body: (self: Process, ...args: never[]) => unknown,
    options: SpawnOptions,
    kind: Actor['kind'],
    label: string
  ): Actor {
    const host = this.#host
    host.checkOpen()
    const { name, link, monitor, args = noArgs, mailboxLimit, trapLinks = false } = options
    if (name !== undefined) host.nameTable.checkFree(name)
    const linked = link === undefined ? undefined : host.processTable.resolvePid(link)
    const monitoring = monitor === undefined ? undefined : this.#localActor(monitor)
    const mailboxLimits = mailboxLimit === undefined
      ? host.mailboxLimits
      : { ...host.mailboxLimits, messages: mailboxLimit }
    const actor = new Actor(host, host.pids.nextPid(), {
      kind, label, body: body as ActorOptions['body'], args, mailboxLimits, trapLinks
    })
    host.processTable.addEntity(actor)
    if (name !== undefined) host.nameTable.register(name, actor.pid)
    monitoring?.addMonitor(actor.pid)
    host.counters.processSpawned(actor, name)
    // A subscriber may have ended the process.
    if (linked !== undefined && !actor.hasEnded) host.exitSignals.link(actor, linked)
    if (!actor.hasEnded) host.scheduler.schedule(actor)
    return actor
  }

  /** Resolves the `monitor` option to a local actor, before anything is started. */
  #localActor (to: string): Actor {
    const { processTable, clusterAccess } = this.#host
    const entity = processTable.findEntity(processTable.resolvePid(to))
    if (entity instanceof Actor) return entity
    const { FST_PROCESS_INVALID_SPEC, FST_PROCESS_NOT_ALIVE } = errorCodes
    if (clusterAccess.remoteNodesFor(to) !== undefined) {
      const problem = `expected a process of this node as 'monitor', got '${show(to)}'`
      throw new FST_PROCESS_INVALID_SPEC(problem)
    }
    if (entity === undefined) throw new FST_PROCESS_NOT_ALIVE(show(to))
    throw new FST_PROCESS_INVALID_SPEC(`expected a process as 'monitor', got '${show(to)}'`)
  }
}
