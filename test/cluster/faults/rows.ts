import { engineRows } from './engine-rows.js'
import { nodeRows } from './node-rows.js'
import { strangerRows } from './stranger-rows.js'
import type { Row } from './row.js'

/** Everything that the fault table has, by its title there. */
export const rows: Readonly<Record<string, Row>> = { ...nodeRows, ...engineRows, ...strangerRows }
