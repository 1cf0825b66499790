import type { Mutant } from './mutant.js'

const suites = ['explain']

export const explainMutants: readonly Mutant[] = [
  {
    name: 'an end that shares a record is not counted',
    file: 'process/explain/end-log.ts',
    search: '    further.count++\n',
    replace: '',
    suites
  },
  {
    name: 'no end is forgotten',
    file: 'process/explain/end-log.ts',
    search: 'if (this.#records.length < this.#limit) {',
    replace: 'if (this.#limit > 0) {',
    suites
  },
  {
    name: 'an end shares a record that is forgotten already',
    file: 'process/explain/end-log.ts',
    search: '    this.#shared.delete(further.key)\n',
    replace: '',
    suites
  },
  {
    name: 'ends that different processes asked for share a record',
    file: 'process/explain/end-log.ts',
    search: 'one.because === other.because && one.by === other.by &&',
    replace: 'one.because === other.because &&',
    suites
  },
  {
    name: 'siblings share a record, so most of them have no successor',
    file: 'process/explain/end-log.ts',
    search: "return cause !== 'sibling' && cause !== 'failed'",
    replace: "return cause !== 'failed'",
    suites
  },
  {
    name: 'ends of one cause do not share a record',
    file: 'process/explain/end-log.ts',
    search: 'if (because === undefined && by === undefined && !closing) return false',
    replace: 'if (!closing) return false',
    suites
  },
  {
    name: 'a failed link has no cause',
    file: 'process/exits/exit-signals.ts',
    search: '  else entity.linkFailed(reason, error, pid)',
    replace: '  else entity.linkFailed(reason, error)',
    suites
  },
  {
    name: 'nobody is named for an exit',
    file: 'process/exits/exit-requests.ts',
    search: 'undefined, exitedBy(reason, from))',
    replace: 'undefined, exitedBy(reason, undefined))',
    suites
  },
  {
    name: 'a process that stops itself during a cancel hides the cancel',
    file: 'process/actor/stop-reason.ts',
    search: 'withReason (reason: string, failure?: Error, origin = this.origin)',
    replace: 'withReason (reason: string, failure?: Error, origin?: EndOrigin)',
    suites
  },
  {
    name: 'a supervisor that gives up does not name the child',
    file: 'process/supervisor/supervisor.ts',
    search: "const origin = { cause: 'gave_up', because: failed.lastExit.pid } as const",
    replace: "const origin = { cause: 'gave_up' } as const",
    suites
  },
  {
    name: 'a restarted child has no successor',
    file: 'process/supervisor/supervisor.ts',
    search: '      this.#runtime.ends.processRestarted(child.lastExit.pid, child.pid!)\n',
    replace: '',
    suites
  },
  {
    name: 'a used record keeps the ends that shared it before',
    file: 'process/explain/end-log.ts',
    search: 'record.further = record.successor = undefined',
    replace: 'record.successor = undefined',
    suites
  },
  {
    name: 'a used record keeps its successor',
    file: 'process/explain/end-log.ts',
    search: 'record.further = record.successor = undefined',
    replace: 'record.further = undefined',
    suites
  },
  {
    name: 'only direct effects are counted',
    file: 'process/explain/explainer.ts',
    search: 'while (next !== undefined && next !== root) next = this.#host.ends.find(next)?.because',
    replace: '',
    suites
  },
  {
    name: 'the latest PID counts as one that was never given',
    file: 'process/pid.ts',
    search: 'serialNumberOf(pid) <= this.#serial',
    replace: 'serialNumberOf(pid) < this.#serial',
    suites
  }
]
