// Random operations of processes, compared with a model: relations, names, groups, exits, and the
// order of mail.
import { held } from '../../process/helpers.js'
import { equal, sameSet, suiteOf } from '../suite.js'
import { EventLog } from './event-log.js'
import { spawnMonitor } from './modelled.js'
import { histories } from './relation-steps.js'
import { Twin } from './twin.js'
import type { AnyMessage } from '../../process/helpers.js'
import type { Modelled } from './modelled.js'
import type { History } from './relation-steps.js'
import type { Exit } from '../../../types/messages.js'
import type { Monitor } from '../../../types/pid.js'

/** Checks a finished history. */
function judge (twin: Twin): void {
  for (const process of twin.all) {
    equal(process.exits.length, process.alive ? 0 : 1)
    equal(process.exits[0]?.reason, process.endedWith)
    equal(process.exits[0]?.error, undefined)
    const mail = process.seen.filter(({ topic }) => !topic.startsWith('@'))
    // In order and at most once: the messages seen are a prefix of the accepted ones.
    for (const [i, { payload, from }] of mail.entries()) {
      equal(payload === process.accepted[i]?.payload && from === process.accepted[i]?.from, true)
    }
    const isThrough = process.finished && process.cancelled && process.stopReason === 'shutdown'
    if (process.alive || isThrough) {
      equal(mail.length, process.accepted.length, 'mail that was seen')
    }
    if (isThrough) equal(process.seen.at(-1)?.topic, '@cancel')
    // A loop still sees the message that it received just before.
    const onItsWay = process.shape.startsWith('serve') ? 0 : 1
    equal(
      process.seen.length <= Math.min(process.stoppedAt ?? Infinity, process.endedAt) + onItsWay,
      true,
      'mail after the end'
    )
    const cancelAt = process.seen.findIndex(({ topic }) => topic === '@cancel')
    if (cancelAt >= 0) equal(cancelAt, process.seen.length - 1)
    judgeExits(twin, process)
    if (process.alive && process.stopReason === undefined) {
      for (const [group, view] of process.views) {
        sameSet([...view], twin.membersOf(group), 'what a watcher knows')
      }
    }
    if (process.alive) {
      equal(process.seen.filter(({ topic }) => topic === '@link_down').length, process.linkDowns)
    }
  }
}

function judgeExits (twin: Twin, process: Modelled): void {
  const seen = new Set<Monitor>()
  for (const [at, { topic, payload }] of process.seen.entries()) {
    if (topic !== '@exit') continue
    const { pid, monitor, reason } = payload as Exit & { monitor: Monitor }
    const ended = twin.all.find((other) => other.pid === pid)!
    const id = process.expectedExits.has(monitor) ? monitor : spawnMonitor(ended)
    equal(seen.has(id), false)
    seen.add(id)
    equal(process.expectedExits.get(id), ended)
    equal(reason === ended.endedWith || reason === 'noproc', true)
    equal(
      process.seen.slice(at).some(({ from }) => from === pid),
      false
    )
  }
  if (process.alive && process.stopReason === undefined) {
    equal(seen.size, process.expectedExits.size)
  }
}

/** Plays a history to the end of all processes. */
async function play (twin: Twin, steps: History): Promise<void> {
  for (const step of steps) {
    if ('turn' in step) await twin.give(step)
    else if (!step.inside) twin.do(step.do)
    else {
      const actor = twin.at(step.do.one)!
      if (twin.processes.send(actor.pid, 'do', step.do)) {
        actor.accepted.push({ topic: 'do', payload: step.do, from: undefined } as AnyMessage)
      }
    }
    twin.compare()
  }
  await twin.finish()
  twin.compare()
  judge(twin)
  // Ended processes keep no entries of live ones.
  const last = twin.all.find(({ alive }) => alive)
  for (const pid of twin.processes.list()) if (pid !== last?.pid) twin.processes.exit(pid)
  await twin.finish()
  if (last?.alive === true) twin.runtime.exitSignals.demonitor(last.pid, last.watcher)
  // Except that a process may watch itself.
  if (last?.alive !== true || last.monitors.size === 0) {
    equal(twin.runtime.relations.size, 0, 'relations that remain')
  }
  for (const pid of twin.processes.list()) twin.processes.exit(pid)
  await twin.finish()
  const { alive, relations, names, groups } = held(twin.runtime)
  equal(alive + relations + names + groups, 0, 'what remains')
}

export const relations = suiteOf('relations', histories, async (steps) => {
  const log = new EventLog()
  const twin = new Twin()
  await log.during(() => play(twin, steps))
  for (const { pid, exits } of twin.all) {
    // The last process is not watched any more when it is shut down.
    equal(log.reasonOf(pid), exits[0]?.reason ?? 'shutdown', 'an exit event')
  }
})
