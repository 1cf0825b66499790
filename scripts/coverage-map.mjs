// What coverage is asked of: all of `lib`, by whatever test reaches it. Examples and benches are run
// by tests, but not for their lines.
import { readdirSync } from 'node:fs'

const files = readdirSync('lib', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => `${entry.parentPath}/${entry.name}`)

export default () => files
