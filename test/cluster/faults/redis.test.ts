import t from 'tap'
import { missing } from '../../installed.js'
import { play } from './play.js'

t.test(
  'has the documented effects on users when a fault is played on Redis',
  { skip: missing('redis-server') || missing('faketime') },
  async (t) => {
    play(t, 'redis')
  }
)
