// `npm run bench:cluster`: what nodes cost (`-- --only costs`), and Socket.IO with its Redis adapter
// beside them (`-- --only beside`). Linux alone: CPU time of others is read from /proc.
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { installPeers } from '../rig/peers.js'
import { compareClusters } from './beside.js'
import { measureCosts } from './costs.js'

const { values: { only, rounds } } = parseArgs({
  options: { only: { type: 'string', default: 'costs,beside' }, rounds: { type: 'string', default: '3' } }
})

console.log(`Node ${process.version}, ${cpus()[0].model}, ${cpus().length} cores; median of ${rounds} rounds [lowest–highest]\n`)
if (only.includes('costs')) {
  await measureCosts('nats', Number(rounds))
  await measureCosts('redis', Number(rounds))
}
if (only.includes('beside')) {
  installPeers()
  await compareClusters(Number(rounds))
}
