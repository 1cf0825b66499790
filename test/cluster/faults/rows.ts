import { clockRows } from './clock-rows.js'
import { engineRows } from './engine-rows.js'
import { nodeRows } from './node-rows.js'
import { strangerRows } from './stranger-rows.js'
import { natsRows, redisRows } from './server-rows.js'
import type { EngineName } from './scene.js'
import type { Row } from './row.js'

const shared: Readonly<Record<string, Row>> = {
  ...nodeRows,
  ...engineRows,
  ...strangerRows,
  ...clockRows
}

/** Everything that the fault table has, by its title there. */
export const rows: Readonly<Record<EngineName, Readonly<Record<string, Row>>>> = {
  nats: { ...shared, ...natsRows },
  redis: { ...shared, ...redisRows }
}
