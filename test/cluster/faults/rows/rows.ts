import { clockRows } from './clock-rows.js'
import { engineRows } from './engine-rows.js'
import { nodeRows } from './node-rows.js'
import { strangerRows } from './stranger-rows.js'
import { natsRows, redisRows } from './server-rows.js'
import type { EngineName } from '../scene.js'
import type { Row } from './row.js'

const shared: Readonly<Record<string, Row>> = {
  ...nodeRows,
  ...engineRows,
  ...strangerRows,
  ...clockRows
}

/** All rows, by their title in the fault table. */
export const rows: Readonly<Record<EngineName, Readonly<Record<string, Row>>>> = {
  nats: { ...shared, ...natsRows },
  redis: { ...shared, ...redisRows }
}
