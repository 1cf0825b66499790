/** A fault in the implementation of a public interface, which must not compile. */
export interface Mutation {
  readonly name: string
  readonly file: string
  /** Stands once in the file. */
  readonly search: string
  readonly replace: string
}

const inFile = (file: string, ...mutations: ReadonlyArray<Omit<Mutation, 'file'>>): Mutation[] => {
  return mutations.map((mutation) => ({ file, ...mutation }))
}

export const mutations: readonly Mutation[] = [
  ...inFile(
    'lib/process/actor/self.ts',
    {
      name: 'self: a method has another name',
      search: '  sendEvery (interval: Duration,',
      replace: '  sendOften (interval: Duration,'
    },
    {
      name: 'self: a method has a parameter of another type',
      search: '  exit (to: string, reason?: string): boolean {',
      replace: '  exit (to: string, reason?: number): boolean {'
    },
    {
      name: 'self: a method takes more than it may',
      search: '  cancel (to: string, reason?: string): boolean {',
      replace: '  cancel (to: string, reason?: string, from?: Pid): boolean {'
    },
    {
      name: 'self: a method takes anything',
      search: '  alive (to: string): boolean {',
      replace: '  alive (to: unknown): boolean {'
    },
    {
      name: 'self: two parameters change places',
      search:
        '  sendAfter (delay: Duration, to: string, topic: string, payload?: unknown): Timer {',
      replace:
        '  sendAfter (to: string, delay: Duration, topic: string, payload?: unknown): Timer {'
    },
    {
      name: 'self: topic and payload change places',
      search: '  send (to: string, topic: string, payload?: unknown): boolean {',
      replace: '  send (to: string, payload: unknown, topic: string): boolean {'
    },
    {
      name: 'self: a result lacks a field',
      search: 'return { pid, monitor: this.#actor.addMonitor(pid) }',
      replace: 'return { pid }'
    },
    {
      name: 'self: a method is asynchronous',
      search: '  list (): Pid[] {',
      replace: '  async list (): Promise<Pid[]> {'
    },
    {
      name: 'self: a public method that the interface does not have',
      search: '  demonitor (monitor: Monitor): void {',
      replace: '  monitorCount (): number { return 0 }\n\n  demonitor (monitor: Monitor): void {'
    },
    {
      name: 'self: a property has another type',
      search: '  get node (): string { return this.#runtime.pids.node }',
      replace: '  get node (): number { return this.#runtime.pids.node.length }'
    }
  ),
  ...inFile('lib/process/actor/lifecycle.ts', {
    name: 'system: @cancel lacks a field',
    search: "{ from, reason } satisfies SystemTopics['@cancel']",
    replace: "{ reason } satisfies SystemTopics['@cancel']"
  }),
  ...inFile(
    'lib/process/processes.ts',
    {
      name: 'processes: a method returns another result',
      search: '    alive: (to) => runtime.processTable.findEntity(to) !== undefined,',
      replace: '    alive: (to) => runtime.processTable.findEntity(to),'
    },
    {
      name: 'processes: a method is missing',
      search: '    list: () => runtime.processTable.pids(),\n',
      replace: ''
    },
    {
      name: 'processes: a method has another name',
      search: '    supervise: (spec) =>',
      replace: '    supervize: (spec) =>'
    },
    {
      name: 'processes: topic and payload change places',
      search: 'runtime.messenger.send(to, topic, payload)',
      replace: 'runtime.messenger.send(to, payload, topic)'
    },
    {
      name: 'processes: a call is not awaited',
      search:
        '    call: (to, topic, payload, options) => runtime.messenger.call(to, topic, payload, options),',
      replace: '    call: (to, topic, payload) => runtime.messenger.send(to, topic, payload),'
    },
    {
      name: 'processes: the statistics lack a counter',
      search: 'stats: () => statsOf(runtime)',
      replace: 'stats: () => runtime.counters'
    },
    {
      name: 'process system: a method is missing',
      search: "own: Pick<ProcessSystem, 'ready' | 'close'>",
      replace: "own: Pick<ProcessSystem, 'ready'>"
    }
  ),
  ...inFile(
    'lib/process/registry/facades.ts',
    {
      name: 'names: a method returns another result',
      search: '    lookup: (name) => nameTable.lookup(name)',
      replace: '    lookup: (name) => nameTable.lookup(name) !== undefined'
    },
    {
      name: 'names: a method takes less than it has to',
      search: '    register (name, pid) {',
      replace: '    register (name: string, pid: Pid) {'
    },
    {
      name: 'groups: a method returns another result',
      search: '      return accepted\n',
      replace: '      return accepted > 0\n'
    },
    {
      name: 'groups: a method returns a table of its own',
      search: '    members: (group) => [...groupTable.members(group)],',
      replace: '    members: (group) => new Set(groupTable.members(group)),'
    },
    {
      name: 'cluster: a method of the groups is missing',
      search: '    unwatch: (group, watcher) => { groups.unwatch(group, watcher) }\n',
      replace: ''
    },
    {
      name: 'cluster: group and topic change places with the payload',
      search: 'groups.broadcast(group, topic, payload, {',
      replace: 'groups.broadcast(group, payload, topic, {'
    }
  ),
  ...inFile('lib/cluster/facade.ts', {
    name: 'cluster: a method returns another result',
    search: 'health: () => node.health()',
    replace: 'health: () => node.stats()'
  }),
  ...inFile(
    'lib/process/supervisor/supervisor.ts',
    {
      name: 'supervisor: a method returns another result',
      search: '    startChild: (child) => supervisor.startChild(child),',
      replace: '    startChild: (child) => supervisor.stopChild(child.id),'
    },
    {
      name: 'supervisor: the state of a child lacks a field',
      search: '({ id: plan.id, pid, restarts })',
      replace: '({ id: plan.id, pid })'
    }
  ),
  ...inFile(
    'lib/connection/target/target-messages.ts',
    {
      name: 'relay: ws.join lacks a field',
      search: '      : { client_pid: this.pid, metadata: this.#metadata }',
      replace: '      : { client_pid: this.pid }'
    },
    {
      name: 'relay: ws.leave lacks a field',
      search: 'client_pid: this.pid, reason, code, cause, metadata: this.#metadata }',
      replace: 'client_pid: this.pid, reason, code, metadata: this.#metadata }'
    },
    {
      name: 'relay: ws.heartbeat has a field of another name',
      search: 'message_count: this.#messageCount',
      replace: 'messages: this.#messageCount'
    },
    {
      name: 'relay: ws.message of another type',
      search: "type: 'text', data, metadata",
      replace: "type: 'text', data: Buffer.from(data), metadata"
    }
  ),
  ...inFile('lib/connection/connection.ts', {
    name: 'relay: the description of a connection lacks a field',
    search: '      target: this.target.pid,\n',
    replace: ''
  })
]
