import type { Mutant } from './mutant.js'

export const processMutants: readonly Mutant[] = [
  {
    name: 'a link is recorded for one of its two processes',
    file: 'process/exits/relations.ts',
    search: 'this.#links.add(other, one)\n',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'an ended process stays in the links of its peers',
    file: 'process/exits/relations.ts',
    search: 'for (const peer of peers) this.#links.delete(peer, pid)',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'unlink removes the link of one process only',
    file: 'process/exits/relations.ts',
    search: 'this.#links.delete(other, one)',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'monitors are kept after the exit signal',
    file: 'process/exits/relations.ts',
    search: 'return this.#monitors.takeAll(target)',
    replace: 'return this.#monitors.get(target)',
    suites: ['relations']
  },
  {
    name: 'demonitor leaves a queued @exit in the mailbox',
    file: 'process/actor/lifecycle.ts',
    search: "return topic === '@exit' && (payload as SystemTopics['@exit']).monitor === id\n",
    replace: 'return false\n',
    suites: ['relations']
  },
  {
    name: 'a normal exit ends linked processes',
    file: 'process/exits/exit-signals.ts',
    search: "return reason === 'normal' || reason === 'shutdown'",
    replace: "return reason === 'shutdown'",
    suites: ['relations']
  },
  {
    name: 'a shutdown exit ends linked processes',
    file: 'process/exits/exit-signals.ts',
    search: "return reason === 'normal' || reason === 'shutdown'",
    replace: "return reason === 'normal'",
    suites: ['relations']
  },
  {
    name: 'a trapped failure also ends the process',
    file: 'process/exits/exit-signals.ts',
    search: '  else entity.linkFailed(reason, error, pid)',
    replace: '  entity.linkFailed(reason, error, pid)',
    suites: ['relations']
  },
  {
    name: 'the exit reason of a killed process is `kill`',
    file: 'process/exits/exit-requests.ts',
    search: "entity.end(reason === 'kill' ? 'killed' : reason, undefined,",
    replace: 'entity.end(reason, undefined,',
    suites: ['relations']
  },
  {
    name: 'a name stays registered when its process ends',
    file: 'process/runtime.ts',
    search: '    this.nameTable.release(pid)\n',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'an ended process stays in its groups',
    file: 'process/runtime.ts',
    search: '    this.groupTable.release(pid)\n',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'the event of an exit is missing while names are registered',
    file: 'process/stats/counters.ts',
    search: 'if (names === undefined) return',
    replace: 'if (names === undefined || names.length > 0) return',
    suites: ['relations']
  },
  {
    name: 'the event of a restart names the new process as the old one',
    file: 'process/stats/counters.ts',
    search: 'previous: lastExit.pid',
    replace: 'previous: pid!',
    suites: ['supervisors']
  },
  {
    name: 'messages from an ended process are accepted',
    file: 'process/messenger.ts',
    search: "if (sender?.hasEnded === true) return this.#refuse('ended')\n",
    replace: '\n',
    suites: ['relations']
  },
  {
    name: 'linking with a dead process does nothing',
    file: 'process/exits/exit-signals.ts',
    search: '      signalLinked(one, { pid: other, reason: this.#clusterAccess.absenceReason(other) })\n',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'a taken name is detected after the process has started',
    file: 'process/actor/spawner.ts',
    search: 'if (name !== undefined) host.nameTable.checkFree(name)\n',
    replace: '\n',
    suites: ['relations']
  },
  {
    name: 'a member that joined twice is removed by one leave',
    file: 'process/registry/groups.ts',
    search: 'if (this.#extraJoins.size > 0 && this.#dropExtraJoin(group, pid)) return true\n',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'watchers are notified when a member joins again',
    file: 'process/registry/groups.ts',
    search: '      this.#countExtraJoin(group, pid)\n      return\n',
    replace: '      this.#countExtraJoin(group, pid)\n',
    suites: ['relations']
  },
  {
    name: 'unwatch does not stop the updates of a group',
    file: 'process/registry/groups.ts',
    search: '    this.#watchers.delete(group, pid)\n    this.#watchedBy.delete(pid, group)',
    replace: '    this.#watchedBy.delete(pid, group)',
    suites: ['relations']
  },
  {
    name: 'watching a group again leaves its old updates in the mailbox',
    file: 'process/registry/facades.ts',
    search:
      '      if (entity instanceof Actor) entity.dropGroupUpdates(group)\n      return groupTable.watch',
    replace: '      return groupTable.watch',
    suites: ['relations']
  },
  {
    name: 'an update that undoes a queued one is added to it',
    file: 'process/registry/group-updates.ts',
    search: 'if (undone >= 0) otherSide.splice(undone, 1)\n    else side.push(pid)',
    replace: 'side.push(pid)',
    suites: ['relations']
  },
  {
    name: 'an update is merged into a message that was received already',
    file: 'process/registry/group-updates.ts',
    search: 'if (this.#pending.get(update.group) === update) this.#pending.delete(update.group)',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'a broadcast reaches the member in `except`',
    file: 'process/registry/facades.ts',
    search: 'member !== except && ',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'a mailbox accepts one message above its limit',
    file: 'shared/watermark.ts',
    search: 'return this.#messages >= this.#limits.messages ||',
    replace: 'return this.#messages > this.#limits.messages ||',
    suites: ['relations']
  },
  {
    name: 'a cancelled process accepts mail',
    file: 'process/actor/lifecycle.ts',
    search: 'return this.state !== running\n',
    replace: 'return this.state >= stopping\n',
    suites: ['relations']
  },
  {
    name: 'a cancelled process gets no @cancel',
    file: 'process/actor/lifecycle.ts',
    search:
      "    this.enqueueMail(new Mail('@cancel', { from, reason } satisfies SystemTopics['@cancel'], from))\n",
    replace: '',
    suites: ['relations', 'calls']
  },
  {
    name: 'a cancel drops the mail that is already in the mailbox',
    file: 'process/actor/actor.ts',
    search: '(state === cancelled && this.mailbox.length === 0)) {',
    replace: 'state === cancelled) {',
    suites: ['relations']
  },
  {
    name: 'a handler gets mail after stop',
    file: 'process/actor/actor.ts',
    search: 'this.#service === service && this.state !== stopping\n',
    replace: 'this.#service === service\n',
    suites: ['relations']
  },
  {
    name: 'the monitors of an ended process stay recorded',
    file: 'process/actor/lazy-state.ts',
    search: '    this.monitors?.releaseAll()\n',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'a mailbox keeps the removed last message as its last',
    file: 'process/actor/mailbox.ts',
    search: '      if (mail === this.#last) this.#last = before\n',
    replace: '',
    suites: ['calls', 'relations']
  },
  {
    name: 'the timeout of an answered call is not cleared',
    file: 'process/calls.ts',
    search: '    this.#timer.cancel()\n',
    replace: '',
    suites: ['calls']
  },
  {
    name: 'a settled call keeps its abort listener',
    file: 'process/calls.ts',
    search: "    this.#terms.signal?.removeEventListener('abort', this.#aborted)\n",
    replace: '',
    suites: ['calls']
  },
  {
    name: 'a settled call keeps its monitor',
    file: 'process/calls.ts',
    search: '    this.#host.demonitor(this.#terms.to, this)\n',
    replace: '',
    suites: ['calls']
  },
  {
    name: 'an abort does not reject a call',
    file: 'process/calls.ts',
    search: "    terms.signal?.addEventListener('abort', this.#aborted, { once: true })\n",
    replace: '',
    suites: ['calls']
  },
  {
    name: 'a call ignores the exit of its callee',
    file: 'process/calls.ts',
    search: '    host.monitor(terms.to, this)\n',
    replace: '',
    suites: ['calls']
  },
  {
    name: 'a refused call waits for its timeout',
    file: 'process/messenger.ts',
    search:
      "      call.reject(new errorCodes.FST_PROCESS_REFUSED(entity!.pid, topic, 'it is full or stopping'))\n",
    replace: '',
    suites: ['calls']
  },
  {
    name: 'the calls of an ended process stay pending',
    file: 'process/actor/lazy-state.ts',
    search:
      '    if (pending !== undefined) for (const each of pending) each.abandon(owner.stopError)\n',
    replace: '',
    suites: ['calls']
  },
  {
    name: 'the timers of an ended process still fire',
    file: 'process/actor/lazy-state.ts',
    search: '    this.timers?.cancelAll()\n',
    replace: '',
    suites: ['calls']
  },
  {
    name: 'a cancelled timer still fires',
    file: 'process/actor/timers.ts',
    search: '        current().cancel()\n        this.#running.delete(timer)\n',
    replace: '        this.#running.delete(timer)\n',
    suites: ['calls']
  },
  {
    name: 'a fulfilled receive keeps its timer',
    file: 'process/actor/receive.ts',
    search: 'fulfill (mail: Mail): void {\n    this.#timer.cancel()\n',
    replace: 'fulfill (mail: Mail): void {\n',
    suites: ['calls']
  },
  {
    name: 'an expired receive misses a message that is in the mailbox',
    file: 'process/actor/actor.ts',
    search: '  expireReceive (receive: PendingReceive): boolean {\n    this.#fulfillReceives()\n',
    replace: '  expireReceive (receive: PendingReceive): boolean {\n',
    suites: ['calls']
  },
  {
    name: 'a receive with topics accepts any topic',
    file: 'process/actor/mailbox.ts',
    search: 'if (filter !== undefined) return this.removeMail((mail) => filter(mail.topic))\n',
    replace: '',
    suites: ['calls']
  },
  {
    name: 'only the first pending receive is woken',
    file: 'process/actor/pending-receives.ts',
    search:
      'while (receive?.filter !== undefined && !receive.filter(topic)) receive = receive.nextPending\n',
    replace: 'if (receive?.filter !== undefined && !receive.filter(topic)) receive = undefined\n',
    suites: ['calls']
  },
  {
    name: 'the receives of an ended process stay pending',
    file: 'process/actor/actor.ts',
    search: '    this.#startOptions = undefined\n    this.#settleReceives()\n',
    replace: '    this.#startOptions = undefined\n',
    suites: ['calls']
  },
  {
    name: 'the receives of a cancelled process stay pending',
    file: 'process/actor/actor.ts',
    search: '(this.state === cancelled && !this.mailbox.hasMail(filter))',
    replace: 'false',
    suites: ['calls']
  },
  {
    name: 'producers are not resumed when the mailbox has drained',
    file: 'process/actor/mailbox.ts',
    search: '    if (this.hasProducers) this.resumeProducers()\n',
    replace: '',
    suites: ['connections']
  },
  {
    name: 'one more restart than maxRestarts is allowed',
    file: 'process/supervisor/restarts.ts',
    search: 'return this.#restarts.length <= this.#maxRestarts',
    replace: 'return this.#restarts.length <= this.#maxRestarts + 1',
    suites: ['supervisors']
  },
  {
    name: 'restarts older than the period are still counted',
    file: 'process/supervisor/restarts.ts',
    search: '    this.#restarts = this.#restarts.filter((time) => now - time < this.#period)\n',
    replace: '',
    suites: ['supervisors']
  },
  {
    name: 'a transient child is restarted after a normal exit',
    file: 'process/supervisor/child.ts',
    search: "(restart === 'transient' && !isOrderly(reason))",
    replace: "restart === 'transient'",
    suites: ['supervisors']
  },
  {
    name: 'rest_for_one does not restart the failed child',
    file: 'process/supervisor/supervisor.ts',
    search: 'children.slice(children.indexOf(failed))',
    replace: 'children.slice(children.indexOf(failed) + 1)',
    suites: ['supervisors']
  },
  {
    name: 'children are stopped in start order',
    file: 'process/supervisor/supervisor.ts',
    search: 'for (const child of [...children].reverse()) await child.stop(this.#runtime, origin)',
    replace: 'for (const child of children) await child.stop(this.#runtime, origin)',
    suites: ['supervisors']
  },
  {
    name: 'a temporary child is restarted with its siblings',
    file: 'process/supervisor/supervisor.ts',
    search: "return !removing && plan.restart !== 'temporary'",
    replace: 'return !removing',
    suites: ['supervisors']
  },
  {
    name: 'children outlive a killed supervisor',
    file: 'process/supervisor/supervisor.ts',
    search: 'if (pid !== undefined) processTable.getEntity(pid)?.end(',
    replace: 'if (pid === undefined) processTable.getEntity(this.pid)?.end(',
    suites: ['supervisors']
  }
]
