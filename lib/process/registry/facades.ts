import { errorCodes, show } from '../../errors.js'
import { Actor } from '../actor/actor.js'
import { checkGroupName, checkName } from './names.js'
import { checkTopic } from '../message.js'
import { published } from '../../shared/contract.js'
import type { Batch, Entity } from '../entity.js'
import type { Messenger } from '../messenger.js'
import type { GroupTable } from './groups.js'
import type { NameTable } from './names.js'
import type { Pid } from '../../../types/pid.js'
import type { Plain } from '../../shared/contract.js'
import type { Cluster, ClusterGroups } from '../../../types/cluster.js'
import type { Groups, Names } from '../../../types/registries.js'

/** The parts of the runtime that the facades use. */
export interface FacadesHost {
  readonly nameTable: NameTable
  readonly groupTable: GroupTable
  readonly messenger: Messenger
  findEntity (to: string): Entity | undefined
  resolvePid (to: string): Pid
}

/** The public `names`: only live processes can be registered. */
export function namesFacade (runtime: FacadesHost): Names {
  return published<Names>({
    register (name, pid) {
      checkName(name)
      const entity = runtime.findEntity(runtime.resolvePid(pid))
      if (entity === undefined) throw new errorCodes.FST_PROCESS_NOT_ALIVE(show(pid))
      runtime.nameTable.register(name, entity.pid)
    },
    unregister: (name) => runtime.nameTable.unregister(name),
    lookup: (name) => runtime.nameTable.lookup(name)
  })
}

/** The public `groups`. Broadcasts are sent by `sender`, and refused once it has ended. */
export function groupsFacade (runtime: FacadesHost, sender: Actor | undefined): Groups {
  return published<Groups>({
    join (group, pid) {
      checkGroupName(group)
      const entity = runtime.findEntity(runtime.resolvePid(pid))
      if (entity === undefined) return false
      runtime.groupTable.join(group, entity.pid)
      return true
    },
    leave (group, pid) {
      checkGroupName(group)
      return runtime.groupTable.leave(group, runtime.resolvePid(pid))
    },
    members: (group) => [...runtime.groupTable.members(group)],
    list: () => runtime.groupTable.list(),
    broadcast (group, topic, payload, options) {
      checkTopic(topic)
      const members = runtime.groupTable.members(group)
      const except = options?.except === undefined ? undefined : runtime.resolvePid(options.except)
      const batch: Batch = {}
      let accepted = 0
      for (const member of members) {
        if (member !== except && runtime.messenger.send(member, topic, payload, sender, batch)) {
          accepted++
        }
      }
      return accepted
    },
    watch (group, pid) {
      checkGroupName(group)
      const entity = runtime.findEntity(runtime.resolvePid(pid))
      if (entity === undefined) throw new errorCodes.FST_PROCESS_NOT_ALIVE(show(pid))
      if (entity instanceof Actor) entity.dropGroupUpdates(group)
      return runtime.groupTable.watch(group, entity.pid)
    },
    unwatch (group, pid) {
      checkGroupName(group)
      const watcher = runtime.resolvePid(pid)
      runtime.groupTable.unwatch(group, watcher)
      const entity = runtime.findEntity(watcher)
      if (entity instanceof Actor) entity.dropGroupUpdates(group)
    }
  })
}

/**
 * The cluster as one process sees it. Broadcasts are sent by `sender`, and refused once it has
 * ended.
 */
export function clusterFacade (cluster: Cluster, sender: Actor): Cluster {
  const { groups } = cluster
  const own = published<ClusterGroups>(Object.freeze({
    join: (group, pid) => groups.join(group, pid),
    leave: (group, pid) => groups.leave(group, pid),
    members: (group) => groups.members(group),
    broadcast: (group, topic, payload, options) => {
      return (
        !sender.hasEnded &&
        groups.broadcast(group, topic, payload, { from: sender.pid, ...options })
      )
    },
    watch: (group, listener) => groups.watch(group, listener),
    unwatch: (group, listener) => { groups.unwatch(group, listener) }
  } satisfies Plain<ClusterGroups>))
  return Object.freeze({ ...cluster, groups: own })
}
