import t from 'tap'
import { missing } from '../../installed.js'
import { play } from './play.js'

t.test(
  'what users see under faults, on Redis',
  { skip: missing('redis-server') || missing('faketime') },
  async (t) => {
    play(t, 'redis')
  }
)
