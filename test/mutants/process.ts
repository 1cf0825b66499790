import type { Mutant } from './mutant.js'

export const processMutants: readonly Mutant[] = [
  {
    name: 'a link is recorded on one side only',
    file: 'process/exits/relations.ts',
    search: 'this.#links.add(other, one)\n',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'a process that ended stays linked with its peers',
    file: 'process/exits/relations.ts',
    search: 'for (const peer of peers) this.#links.delete(peer, pid)',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'unlink forgets one side only',
    file: 'process/exits/relations.ts',
    search: 'this.#links.delete(other, one)',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'watchers are told, and kept',
    file: 'process/exits/relations.ts',
    search: 'return this.#monitors.takeAll(target)',
    replace: 'return this.#monitors.get(target)',
    suites: ['relations']
  },
  {
    name: 'a demonitor leaves the @exit that waits in the mailbox',
    file: 'process/actor/actor.ts',
    search: "    this.mailbox.removeMail((mail) => mail.topic === '@exit' && (mail.payload as SystemTopics['@exit']).monitor === id)\n",
    replace: '',
    suites: ['relations']
  },
  {
    name: 'a normal end brings linked processes down',
    file: 'process/exits/exit-signals.ts',
    search: "return reason === 'normal' || reason === 'shutdown'",
    replace: "return reason === 'shutdown'",
    suites: ['relations']
  },
  {
    name: 'a shutdown brings linked processes down',
    file: 'process/exits/exit-signals.ts',
    search: "return reason === 'normal' || reason === 'shutdown'",
    replace: "return reason === 'normal'",
    suites: ['relations']
  },
  {
    name: 'a trapped failure ends the process as well',
    file: 'process/exits/exit-signals.ts',
    search: '  else entity.linkFailed(reason, error)',
    replace: '  entity.linkFailed(reason, error)',
    suites: ['relations']
  },
  {
    name: 'a process that was killed says so by `kill`',
    file: 'process/runtime.ts',
    search: "entity.end(reason === 'kill' ? 'killed' : reason)",
    replace: 'entity.end(reason)',
    suites: ['relations']
  },
  {
    name: 'a name is kept when its process ends',
    file: 'process/runtime.ts',
    search: '    this.nameTable.release(pid)\n',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'a member stays in its groups when it ends',
    file: 'process/runtime.ts',
    search: '    this.groupTable.release(pid)\n',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'what is sent by an ended process is accepted',
    file: 'process/runtime.ts',
    search: 'if (sender?.hasEnded === true) return this.#refuse()\n',
    replace: '\n',
    suites: ['relations']
  },
  {
    name: 'linking with the dead does nothing',
    file: 'process/runtime.ts',
    search: 'signalLinked(one, { pid: other, reason: this.#absenceReason(other) })\n',
    replace: 'return\n',
    suites: ['relations']
  },
  {
    name: 'a name that is taken is noticed after the process was started',
    file: 'process/runtime.ts',
    search: 'if (name !== undefined) this.nameTable.checkFree(name)\n',
    replace: '\n',
    suites: ['relations']
  },
  {
    name: 'a group forgets a member that joined twice when it leaves once',
    file: 'process/registry/groups.ts',
    search: 'if (this.#extraJoins.size > 0 && this.#dropExtraJoin(group, pid)) return true\n',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'watchers are told of each time a member joins',
    file: 'process/registry/groups.ts',
    search: '      this.#countExtraJoin(group, pid)\n      return\n',
    replace: '      this.#countExtraJoin(group, pid)\n',
    suites: ['relations']
  },
  {
    name: 'a group is watched for ever',
    file: 'process/registry/groups.ts',
    search: '    this.#watchers.delete(group, pid)\n    this.#watchedBy.delete(pid, group)',
    replace: '    this.#watchedBy.delete(pid, group)',
    suites: ['relations']
  },
  {
    name: 'watching again leaves the old news in the mailbox',
    file: 'process/registry/facades.ts',
    search: '      if (entity instanceof Actor) entity.dropGroupUpdates(group)\n      return runtime.groupTable.watch',
    replace: '      return runtime.groupTable.watch',
    suites: ['relations']
  },
  {
    name: 'news that undoes what waits is added to it',
    file: 'process/registry/group-updates.ts',
    search: 'if (undone >= 0) otherSide.splice(undone, 1)\n    else side.push(pid)',
    replace: 'side.push(pid)',
    suites: ['relations']
  },
  {
    name: 'news is merged into a message that was taken already',
    file: 'process/registry/group-updates.ts',
    search: 'if (this.#pending.get(news.group) === news) this.#pending.delete(news.group)',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'a broadcast reaches the one that is excepted',
    file: 'process/registry/facades.ts',
    search: 'member !== except && ',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'a mailbox holds one message more than its limit',
    file: 'process/actor/mailbox.ts',
    search: 'return this.#length >= this.#limits.messages ||',
    replace: 'return this.#length > this.#limits.messages ||',
    suites: ['relations']
  },
  {
    name: 'after a cancel mail is still accepted',
    file: 'process/actor/actor.ts',
    search: 'return this.#exitState !== undefined\n',
    replace: "return this.#exitState === 'stop' || this.hasEnded\n",
    suites: ['relations']
  },
  {
    name: 'a cancelled process gets no @cancel',
    file: 'process/actor/actor.ts',
    search: "    this.#enqueueMail(new Mail('@cancel', { from, reason }, from))\n",
    replace: '',
    suites: ['relations', 'calls']
  },
  {
    name: 'a cancel ends the inbox before the mail that is there',
    file: 'process/actor/actor.ts',
    search: "(this.#exitState === 'cancel' && this.mailbox.length === 0)) this.#settleService()",
    replace: "this.#exitState === 'cancel') this.#settleService()",
    suites: ['relations']
  },
  {
    name: 'a handler gets mail after stop',
    file: 'process/actor/actor.ts',
    search: "while (this.#mailLeft > 0 && counters.sent < sendsUpTo && this.#service === service && this.#exitState !== 'stop') {",
    replace: 'while (this.#mailLeft > 0 && counters.sent < sendsUpTo && this.#service === service) {',
    suites: ['relations']
  },
  {
    name: 'the monitors of an ended process are kept',
    file: 'process/actor/lazy-state.ts',
    search: '    this.monitors?.releaseAll()\n',
    replace: '',
    suites: ['relations']
  },
  {
    name: 'a mailbox still ends with the last message when that is taken out',
    file: 'process/actor/mailbox.ts',
    search: '      if (mail === this.#last) this.#last = before\n',
    replace: '',
    suites: ['calls', 'relations']
  },
  {
    name: 'the clock of a call that was answered goes on',
    file: 'process/calls.ts',
    search: '    clearTimeout(this.#timer)\n',
    replace: '',
    suites: ['calls']
  },
  {
    name: 'a call listens to its signal for ever',
    file: 'process/calls.ts',
    search: "    this.#terms.signal?.removeEventListener('abort', this.#aborted)\n",
    replace: '',
    suites: ['calls']
  },
  {
    name: 'the callee of a call that is over is watched',
    file: 'process/calls.ts',
    search: '    this.#host.demonitor(this.#terms.to, this)\n',
    replace: '',
    suites: ['calls']
  },
  {
    name: 'an abort does not end a call',
    file: 'process/calls.ts',
    search: "    terms.signal?.addEventListener('abort', this.#aborted, { once: true })\n",
    replace: '',
    suites: ['calls']
  },
  {
    name: 'a call waits for a callee that has ended',
    file: 'process/calls.ts',
    search: '    host.monitor(terms.to, this)\n',
    replace: '',
    suites: ['calls']
  },
  {
    name: 'a refused call waits for its timeout',
    file: 'process/runtime.ts',
    search: "      call.reject(new errorCodes.FST_PROCESS_REFUSED(entity!.pid, topic, 'it is full or stopping'))\n",
    replace: '',
    suites: ['calls']
  },
  {
    name: 'the calls of an ended process wait for their answers',
    file: 'process/actor/lazy-state.ts',
    search: '    if (pending !== undefined) for (const each of pending) each.abandon(owner.stopError)\n',
    replace: '',
    suites: ['calls']
  },
  {
    name: 'the timers of an ended process run on',
    file: 'process/actor/lazy-state.ts',
    search: '    this.timers?.cancelAll()\n',
    replace: '',
    suites: ['calls']
  },
  {
    name: 'a cancelled timer goes off',
    file: 'process/actor/timers.ts',
    search: '        clearTimeout(timer)\n        this.#running.delete(timer)\n',
    replace: '        this.#running.delete(timer)\n',
    suites: ['calls']
  },
  {
    name: 'a receive that got its message keeps its timer',
    file: 'process/actor/receive.ts',
    search: 'fulfill (mail: Mail): void {\n    clearTimeout(this.#timer)\n',
    replace: 'fulfill (mail: Mail): void {\n',
    suites: ['calls']
  },
  {
    name: 'a receive that is over gives nothing although its message is there',
    file: 'process/actor/actor.ts',
    search: '  expireReceive (waiter: PendingReceive): boolean {\n    this.#fulfillReceives()\n',
    replace: '  expireReceive (waiter: PendingReceive): boolean {\n',
    suites: ['calls']
  },
  {
    name: 'a receive takes messages of any topic',
    file: 'process/actor/mailbox.ts',
    search: 'if (wanted !== undefined) return this.removeMail((mail) => wanted(mail.topic))\n',
    replace: '',
    suites: ['calls']
  },
  {
    name: 'a receive is woken by the first who waits only',
    file: 'process/actor/pending-receives.ts',
    search: 'while (waiter?.filter !== undefined && !waiter.filter(topic)) waiter = waiter.nextPending\n',
    replace: 'if (waiter?.filter !== undefined && !waiter.filter(topic)) waiter = undefined\n',
    suites: ['calls']
  },
  {
    name: 'an ended process leaves its receives waiting',
    file: 'process/actor/actor.ts',
    search: '    this.#settleReceives()\n    this.#settleService()\n    const controller',
    replace: '    this.#settleService()\n    const controller',
    suites: ['calls']
  },
  {
    name: 'a cancelled process leaves its receives waiting',
    file: 'process/actor/actor.ts',
    search: "(this.#exitState === 'cancel' && !this.mailbox.hasMail(waiter.filter))",
    replace: 'false',
    suites: ['calls']
  },
  {
    name: 'nobody who waits for room is told',
    file: 'process/actor/mailbox.ts',
    search: '    if (this.#producers !== undefined) this.#resumeProducers(this.#producers)\n',
    replace: '',
    suites: ['connections']
  },
  {
    name: 'one restart more than allowed',
    file: 'process/supervisor/intensity.ts',
    search: 'return this.#restarts.length <= this.#maxRestarts',
    replace: 'return this.#restarts.length <= this.#maxRestarts + 1',
    suites: ['supervisors']
  },
  {
    name: 'restarts are counted for ever',
    file: 'process/supervisor/intensity.ts',
    search: '    this.#restarts = this.#restarts.filter((time) => now - time < this.#period)\n',
    replace: '',
    suites: ['supervisors']
  },
  {
    name: 'a transient child is restarted after a normal end',
    file: 'process/supervisor/child.ts',
    search: "(this.plan.restart === 'transient' && !isOrderly(reason))",
    replace: "this.plan.restart === 'transient'",
    suites: ['supervisors']
  },
  {
    name: 'rest_for_one leaves the failed child out',
    file: 'process/supervisor/strategies.ts',
    search: 'children.slice(children.indexOf(failed))',
    replace: 'children.slice(children.indexOf(failed) + 1)',
    suites: ['supervisors']
  },
  {
    name: 'children are stopped in the order they started',
    file: 'process/supervisor/supervisor.ts',
    search: 'for (const child of [...children].reverse()) await child.stop(this.#runtime)',
    replace: 'for (const child of children) await child.stop(this.#runtime)',
    suites: ['supervisors']
  },
  {
    name: 'a temporary child is restarted with its siblings',
    file: 'process/supervisor/supervisor.ts',
    search: "const restarted = affected.filter((child) => !child.removing && child.plan.restart !== 'temporary')",
    replace: 'const restarted = affected.filter((child) => !child.removing)',
    suites: ['supervisors']
  },
  {
    name: 'children outlive a supervisor that was killed',
    file: 'process/supervisor/supervisor.ts',
    search: 'if (pid !== undefined) this.#runtime.getEntity(pid)?.end(',
    replace: 'if (pid === undefined) this.#runtime.getEntity(this.pid)?.end(',
    suites: ['supervisors']
  }
]
