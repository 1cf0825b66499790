import type { Mutant } from './mutant.js'

const file = 'shared/warnings.ts'
const keys = 'shared/recent-keys.ts'
const suites = ['warnings']

export const warningMutants: readonly Mutant[] = [
  {
    name: 'a new interval keeps the lines of the one before',
    file,
    search: '      this.#lines = 0\n',
    replace: '',
    suites
  },
  {
    name: 'warnings have no limit of lines',
    file,
    search: 'this.#lines >= maxLines || ',
    replace: '',
    suites
  },
  {
    name: 'a warning that is left out is remembered',
    file,
    search: 'this.#lines >= maxLines || !this.#labelsOf(text).add(show(label))',
    replace: '!this.#labelsOf(text).add(show(label)) || this.#lines >= maxLines',
    suites
  },
  {
    name: 'all texts share one set of labels',
    file,
    search: 'this.#labels.set(text, labels)',
    replace: "this.#labels.set(text, labels).set('one', labels).set('two', labels)",
    suites
  },
  {
    name: 'a known key is new again',
    file: keys,
    search: 'this.#added.has(key) || ',
    replace: '',
    suites
  },
  {
    name: 'keys have no limit',
    file: keys,
    search: ' || this.#added.size >= this.#limit',
    replace: '',
    suites
  },
  {
    name: 'a key is forgotten too late',
    file: keys,
    search: 'now - at < this.#forgetAfter',
    replace: 'now - at <= this.#forgetAfter',
    suites
  },
  {
    name: 'old keys are never forgotten',
    file: keys,
    search: '      this.#added.delete(old)\n',
    replace: '',
    suites
  }
]
