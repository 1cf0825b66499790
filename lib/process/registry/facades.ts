import { errorCodes, show } from '../../errors.js'
import { Actor } from '../actor/actor.js'
import { Batch } from '../batch.js'
import { checkGroupName, checkName } from './names.js'
import { isKeyAddress } from '../keyed/address.js'
import { checkTopic } from '../message.js'
import { published } from '../../shared/contract.js'
import type { Messenger } from '../messenger.js'
import type { GroupTable } from './groups.js'
import type { NameTable } from './names.js'
import type { ProcessTable } from './process-table.js'
import type { Plain } from '../../shared/contract.js'
import type { Cluster, ClusterGroups } from '../../../types/cluster.js'
import type { Groups, Names } from '../../../types/registries.js'

/** The parts of the runtime that the facades use. */
export interface FacadesHost {
  readonly processTable: ProcessTable
  readonly nameTable: NameTable
  readonly groupTable: GroupTable
  readonly messenger: Messenger
}

/** The public `names`: only live processes can be registered. */
export function namesFacade ({ processTable, nameTable }: FacadesHost): Names {
  return published<Names>({
    register (name, pid) {
      checkName(name)
      const entity = processTable.findEntity(processTable.resolvePid(pid))
      if (entity === undefined) throw new errorCodes.FST_PROCESS_NOT_ALIVE(show(pid))
      nameTable.register(name, entity.pid)
    },
    // An address of a key belongs to its process as long as that takes mail.
    unregister: (name) => !isKeyAddress(name) && nameTable.unregister(name),
    lookup: (name) => nameTable.lookup(name)
  })
}

/** The public `groups`. Broadcasts are sent by `sender`, and refused once it has ended. */
export function groupsFacade (
  { processTable, groupTable, messenger }: FacadesHost, sender: Actor | undefined
): Groups {
  return published<Groups>({
    join (group, pid) {
      checkGroupName(group)
      const entity = processTable.findEntity(processTable.resolvePid(pid))
      if (entity === undefined) return false
      groupTable.join(group, entity.pid)
      return true
    },
    leave (group, pid) {
      checkGroupName(group)
      return groupTable.leave(group, processTable.resolvePid(pid))
    },
    members: (group) => [...groupTable.members(group)],
    list: () => groupTable.list(),
    broadcast (group, topic, payload, options) {
      checkTopic(topic)
      const members = groupTable.members(group)
      const excepted = options?.except
      const except = excepted === undefined ? undefined : processTable.resolvePid(excepted)
      const batch = new Batch()
      let accepted = 0
      for (const member of members) {
        if (member !== except && messenger.send(member, topic, payload, sender, batch)) {
          accepted++
        }
      }
      return accepted
    },
    watch (group, pid) {
      checkGroupName(group)
      const entity = processTable.findEntity(processTable.resolvePid(pid))
      if (entity === undefined) throw new errorCodes.FST_PROCESS_NOT_ALIVE(show(pid))
      if (entity instanceof Actor) entity.dropGroupUpdates(group)
      return groupTable.watch(group, entity.pid)
    },
    unwatch (group, pid) {
      checkGroupName(group)
      const watcher = processTable.resolvePid(pid)
      groupTable.unwatch(group, watcher)
      const entity = processTable.findEntity(watcher)
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
    watch: (group, watcher) => groups.watch(group, watcher),
    unwatch: (group, watcher) => { groups.unwatch(group, watcher) }
  } satisfies Plain<ClusterGroups>))
  return Object.freeze({ ...cluster, groups: own })
}
