import t from 'tap'
import { missing } from '../../installed.js'
import { play } from './play.js'

t.test(
  'what users see under faults, on NATS',
  { skip: missing('nats-server') || missing('faketime') },
  async (t) => {
    play(t, 'nats')
  }
)
