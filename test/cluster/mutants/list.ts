/** One change that makes the core wrong. */
export interface Mutant {
  readonly name: string
  /** A path from lib/cluster. */
  readonly file: string
  /** Stands in it exactly once. */
  readonly search: string
  readonly replacement: string
  /** The seed to begin with: some take a rare order of things. */
  readonly from?: number
  /** The simulation that has to notice it: that of nodes if it is absent. */
  readonly of?: 'keys' | 'visits'
}

/** Faults that the simulation has to notice: in each, one rule is left out. */
export const mutants: readonly Mutant[] = [
  {
    name: 'a repeated frame is handled twice',
    file: 'link/channel-receiver.ts',
    search: 'if (frame.seq < this.#nextExpected) continue',
    replacement: ''
  },
  {
    name: 'a gap is skipped',
    file: 'link/channel-receiver.ts',
    search: 'if (frame.seq > this.#nextExpected) {',
    replacement:
      'if (frame.seq > this.#nextExpected) this.#nextExpected = frame.seq\n      if (frame.seq < 0) {'
  },
  {
    name: 'a reset keeps the connection number',
    file: 'link/connection-numbers.ts',
    search: 'this.#local++',
    replacement: ''
  },
  {
    name: 'acknowledged frames are not freed',
    file: 'link/channel-sender.ts',
    search: 'if (ack <= this.#lastAcknowledged) return true',
    replacement: 'return true'
  },
  {
    name: 'a node that is down keeps its channel',
    file: 'membership/peers.ts',
    search: 'peer.channel.reset(why)',
    replacement: ''
  },
  {
    name: 'monitors get no exit when the channel is reset',
    file: 'remote/remote-monitors.ts',
    search: 'of this.#outgoing.allOf(peer)',
    replacement: 'of [] as ReturnType<OutgoingMonitors["allOf"]>'
  },
  {
    name: 'a monitor stays after its exit',
    file: 'remote/monitor-tables.ts',
    search: 'if (monitor !== undefined) this.remove(monitor)',
    replacement: ''
  },
  {
    name: 'a monitor stays after it is removed',
    file: 'remote/remote-monitors.ts',
    search: 'this.#outgoing.remove(monitor)',
    replacement: ''
  },
  {
    name: 'calls stay pending when the channel is reset',
    file: 'remote/router.ts',
    search: 'this.#calls.channelReset(peer)',
    replacement: ''
  },
  {
    name: 'a link that crosses its unlink is accepted',
    file: 'remote/remote-links.ts',
    search: 'if (link !== undefined && (link.active || link.unlinking !== 0)) return true',
    replacement: 'if (link?.active === true) return true',
    from: 1105
  },
  {
    name: 'links stay when the channel is reset',
    file: 'remote/router.ts',
    search: 'this.#links.channelReset(peer)',
    replacement: ''
  },
  {
    name: 'a lease has no expiry by itself',
    file: 'names/lease.ts',
    search: 'return this.#context.now() < this.#validUntil',
    replacement: 'return this.#validUntil !== -Infinity',
    from: 290
  },
  {
    name: 'a lease is renewed for ever',
    file: 'names/lease.ts',
    search: 'this.#validUntil = start + this.#context.timing.lease',
    replacement: 'this.#validUntil = start + 10 * this.#context.timing.lease',
    from: 190
  },
  {
    name: 'a lease is shorter than an outage that channels survive',
    file: 'timing.ts',
    search: 'const lease = down + renew + request',
    replacement: 'const lease = 3 * renew'
  },
  {
    name: 'a lease is broken as soon as it is read',
    file: 'names/lease-breaker.ts',
    search: 'start - seen.since > timing.breakLease',
    replacement: 'start >= seen.since'
  },
  {
    name: 'names are granted before the grace period is over',
    file: 'names/grace-period.ts',
    search: 'if (generation.settled) return generation\n      await pause',
    replacement: 'return generation\n      await pause',
    from: 130
  },
  {
    name: 'an outdated node is not told the later incarnation',
    file: 'membership/heartbeats.ts',
    search: 'this.#sendOutdated(node, incarnation)',
    replacement: 'return',
    from: 130
  },
  {
    name: 'fences repeat',
    file: 'names/records.ts',
    search: 'return fence ?? base + revision',
    replacement: 'return fence ?? base + revision % 40'
  },
  {
    name: 'fences of a new register start from a clock',
    file: 'names/generations.ts',
    search: 'this.#highestFence = Math.max(this.#highestFence, lastFence)',
    replacement: 'this.#highestFence = 0'
  },
  {
    name: 'held names are not written to a new register',
    file: 'names/lease.ts',
    search: 'await this.#user.rewriteNames()',
    replacement: 'await Promise.resolve()',
    from: 170
  },
  {
    name: 'a lost lease does not end the processes of its keys',
    file: '../process/keyed/key.ts',
    search: 'for (const instance of this.instances) instance.end(nameLost)',
    replacement: '',
    from: 20,
    of: 'keys'
  },
  {
    name: 'a node starts keys whose place is another node',
    file: '../process/keyed/key.ts',
    search: 'const isElsewhere = directory !== undefined && !this.#isPlace',
    replacement: 'const isElsewhere = directory === undefined',
    of: 'keys'
  },
  {
    name: 'the place of a key is never given up',
    file: '../process/keyed/key.ts',
    search: 'if (this.#isPlace) this.#owner.directory?.release(this.address)',
    replacement: '',
    of: 'keys'
  },
  {
    name: 'other nodes do not learn that an instance takes no more mail',
    file: '../process/keyed/instance.ts',
    search: 'for (const watcher of this.#watchers?.values() ?? []) watcher.reply(undefined)',
    replacement: '',
    of: 'keys'
  },
  {
    name: 'mail that has waited for a process is handed over in the wrong order',
    file: '../process/keyed/search.ts',
    search: 'for (const mail of this.#mail) mail.handTo(process)',
    replacement: 'for (const mail of this.#mail.reverse()) mail.handTo(process)',
    of: 'keys'
  },
  {
    name: 'a request to a node that is lost never settles',
    file: 'keys/node-keys.ts',
    search: 'reply: resolve, fail: reject, reject, targetEnded: lost }',
    replacement: 'reply: resolve, fail: reject, reject, targetEnded () {} }',
    of: 'keys'
  },
  {
    name: 'messages that are under way when a process ends are lost',
    file: 'remote/incoming-bindings.ts',
    search: 'else binding?.returnMessage(frame)',
    replacement: '',
    of: 'visits'
  },
  {
    name: 'messages that a stopping process refuses are lost',
    file: 'remote/incoming-bindings.ts',
    search: 'const isKept = call === undefined && binding.keepRefused(message, client)',
    replacement: 'const isKept = false',
    of: 'visits'
  },
  {
    name: 'refused messages come back before those of the mailbox',
    file: 'remote/incoming-binding.ts',
    search: '[...unread, ...this.#refused]',
    replacement: '[...this.#refused, ...unread]',
    of: 'visits'
  },
  {
    name: 'a client is told of the end before its messages are back',
    file: 'remote/incoming-bindings.ts',
    search: 'if (binding.mustReturn(exit)) binding.startReturn(exit, this.#context)',
    replacement:
      'if (binding.mustReturn(exit)) binding.startReturn(exit, this.#context)\n    if (binding.exit !== undefined) this.#sendDown(binding, exit, false)',
    of: 'visits'
  },
  {
    name: 'a connection sends on while its messages come back',
    file: 'remote/remote-target.ts',
    search: '    this.#refusesMessages = true\n',
    replacement: '',
    of: 'visits'
  },
  {
    name: 'messages that have come back are dropped',
    file: 'remote/remote-bindings.ts',
    search: 'recordUnreadJoins(exit, { has: () => true, takeMail: () => unread })',
    replacement: 'recordUnreadJoins(exit)',
    of: 'visits'
  }
]
