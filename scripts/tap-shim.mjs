// Becomes the package `tap` of the compiled tests. `t` is tap's root test in a process of one test
// file; in a process of several files it is the subtest of the file that is running.
import { t as root } from '../../../node_modules/tap/dist/esm/index.js'

let current = root

export { current as default, current as t }

/** Makes the subtest of a file its `t`; called before the file is imported. */
export function setCurrentTest (t) {
  current = t
}
