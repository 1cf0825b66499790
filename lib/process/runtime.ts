import { errorCodes } from '../errors.js'
import { ContextClock, nodeClock } from '../shared/clock.js'
import { Context } from '../shared/context.js'
import { processEvents } from '../shared/diagnostics.js'
import { Self } from './actor/self.js'
import { Spawner } from './actor/spawner.js'
import { ClusterAccess } from './remote/cluster-access.js'
import { Counters } from './stats/counters.js'
import { Drain } from './drain.js'
import { Ends } from './explain/ends.js'
import { Explainer } from './explain/explainer.js'
import { Tracer } from './explain/tracer.js'
import { ExitRequests } from './exits/exit-requests.js'
import { ExitSignals } from './exits/exit-signals.js'
import { FailureLog } from './exits/failure-log.js'
import { Relations } from './exits/relations.js'
import { Mistakes } from './actor/mistakes.js'
import { Messenger } from './messenger.js'
import { PidFactory } from './pid.js'
import { Kinds } from './keyed/kinds.js'
import { groupsFacade, namesFacade } from './registry/facades.js'
import { GroupTable } from './registry/groups.js'
import { NameTable } from './registry/names.js'
import { ProcessTable } from './registry/process-table.js'
import { Scheduler } from './scheduler.js'
import { Shutdown } from './shutdown.js'
import type { Actor } from './actor/actor.js'
import type { EndedProcess } from './stats/counters.js'
import type { RememberedConnection, RememberedProcess } from './explain/ends.js'
import type { EndOrigin } from './explain/origin.js'
import type { TurnOrder } from './scheduler.js'
import type { RunningSupervisor } from './supervisor/tree.js'
import type { ServerStats } from './stats/stats.js'
import type { Clock } from '../shared/clock.js'
import type { MessageSpans } from '../shared/message-spans.js'
import type { WatermarkLimits } from '../shared/watermark.js'
import type { ProcessInfo } from '../../types/info.js'
import type { Exit } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'
import type { Logger } from '../../types/options.js'
import type { Groups, Names } from '../../types/registries.js'

/** The options of a runtime, checked. */
export interface RuntimeOptions {
  readonly node: string
  readonly mailboxLimit: number
  readonly mailboxBytes: number
  readonly keepEnds: number
  readonly logger: Logger
  /** @defaultValue Node's own time */
  readonly clock?: Clock
  readonly turnOrder?: TurnOrder
}

/**
 * The process system of one node: it puts the parts together, and starts and ends the entities in
 * all of them. Each part names the few others that it uses. The public face is `processes.ts`.
 */
export class Runtime {
  /** The async context in which all code of processes runs. */
  readonly context = new Context()
  /** Starts tasks in the async context of its caller. */
  readonly clock: Clock
  /** Starts tasks in {@link context}. */
  readonly contextClock: Clock
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly pids: PidFactory
  readonly counters: Counters
  /** The limits of a mailbox without options of its own. */
  readonly mailboxLimits: WatermarkLimits

  readonly nameTable = new NameTable()
  readonly processTable = new ProcessTable(this.nameTable)
  readonly groupTable: GroupTable

  readonly clusterAccess: ClusterAccess
  readonly failureLog: FailureLog
  readonly mistakes: Mistakes
  readonly relations = new Relations()
  readonly exitSignals: ExitSignals
  readonly exitRequests: ExitRequests
  readonly kinds: Kinds
  readonly messenger: Messenger
  /** Supervisors that no other supervisor has started. */
  readonly supervisors = new Set<Pid>()
  /** All supervisors that run. */
  readonly supervisorTable = new Map<Pid, RunningSupervisor>()
  readonly ends: Ends
  readonly explainer: Explainer
  readonly tracer: Tracer
  readonly spawner: Spawner
  readonly drain: Drain
  readonly shutdown: Shutdown
  readonly names: Names
  readonly groups: Groups
  /** Present while messages are traced. */
  spans: MessageSpans | undefined
  /** The numbers of the server, if there is one. */
  serverStats: (() => ServerStats) | undefined

  constructor (options: RuntimeOptions) {
    const { node, mailboxLimit, mailboxBytes, keepEnds, logger, clock, turnOrder } = options
    const { context, nameTable, processTable, relations } = this
    this.clock = clock ?? nodeClock
    this.contextClock = new ContextClock(this.clock, context)
    this.scheduler = new Scheduler(this.clock, this.contextClock, turnOrder)
    this.logger = logger
    this.mistakes = new Mistakes(logger, this.contextClock)
    this.pids = new PidFactory(node)
    this.counters = new Counters(node)
    this.mailboxLimits = { messages: mailboxLimit, bytes: mailboxBytes }
    this.groupTable = new GroupTable((watcher, group, joined, left) => {
      processTable.getEntity(watcher)
        ?.notify('@group', { group, joined: [...joined], left: [...left] })
    })
    const access = this.clusterAccess = new ClusterAccess(this.pids)
    this.ends = new Ends(this, keepEnds)
    this.explainer = new Explainer(this)
    this.failureLog = new FailureLog(logger, processTable, nameTable)
    this.exitSignals = new ExitSignals(processTable, relations, access, this.failureLog)
    this.exitRequests = new ExitRequests(
      processTable, access, this.exitSignals, this.scheduler
    )
    this.kinds = new Kinds(this)
    this.messenger = new Messenger(this)
    this.spawner = new Spawner(this)
    this.tracer = new Tracer(this)
    this.drain = new Drain(this)
    this.shutdown = new Shutdown(this)
    this.names = namesFacade(this)
    this.groups = groupsFacade(this, undefined)
  }

  /** @throws `FST_PROCESS_CLOSING`, `FST_CLUSTER_NOT_READY` */
  checkOpen (): void {
    if (this.shutdown.closing) throw new errorCodes.FST_PROCESS_CLOSING()
    if (this.clusterAccess.joining) throw new errorCodes.FST_CLUSTER_NOT_READY()
  }

  createSelf (actor: Actor): Self {
    return new Self(this, actor)
  }

  /**
   * Called when a process has released its own state. Remembers its end, removes it from all
   * tables, and sends the exit signals.
   * @param afterwards runs when all signals have been sent, because it may call user code
   */
  processEnded (
    process: EndedProcess & RememberedProcess, exit: Exit, origin: EndOrigin,
    afterwards?: () => void
  ): void {
    const { pid } = process
    this.ends.processEnded(process, exit, origin)
    const names = processEvents.hasSubscribers ? this.nameTable.namesOf(pid) : undefined
    this.#removeEntity(pid)
    this.counters.processEnded(process, exit, names)
    this.exitSignals.signalExit(exit, afterwards)
  }

  /** Does the same for a connection, when it has left its target. */
  connectionEnded (connection: RememberedConnection, exit: Exit): void {
    this.ends.connectionEnded(connection, exit)
    this.#removeEntity(exit.pid)
    this.counters.connectionEnded(exit)
    this.exitSignals.signalExit(exit)
  }

  #removeEntity (pid: Pid): void {
    this.processTable.removeEntity(pid)
    this.nameTable.release(pid)
    this.groupTable.release(pid)
  }

  info (to: string): ProcessInfo | undefined {
    const entity = this.processTable.findEntity(to)
    if (entity === undefined) return undefined
    const { pid } = entity
    return {
      pid,
      ...entity.describe(),
      names: this.nameTable.namesOf(pid),
      links: [...this.relations.linksOf(pid)],
      groups: this.groupTable.groupsOf(pid)
    }
  }
}
