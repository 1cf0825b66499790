// `npm run bench:cluster` measures the costs of nodes (`-- --only costs`), and compares them with
// Socket.IO and its Redis adapter (`-- --only beside`). Linux only: CPU times are read from /proc.
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { installPeers } from '../rig/peers.js'
import { compareClusters } from './beside.js'
import { measureCosts } from './costs.js'

const {
  values: { only, rounds }
} = parseArgs({
  options: {
    only: { type: 'string', default: 'costs,beside' },
    rounds: { type: 'string', default: '3' }
  }
})

console.log(
  `Node ${process.version}, ${cpus()[0].model}, ${cpus().length} cores; ` +
    `median of ${rounds} rounds [lowest–highest]\n`
)
if (only.includes('costs')) {
  await measureCosts('nats', Number(rounds))
  await measureCosts('redis', Number(rounds))
}
if (only.includes('beside')) {
  installPeers()
  await compareClusters(Number(rounds))
}
