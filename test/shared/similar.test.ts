import t from 'tap'
import { similarTo } from '../../lib/shared/similar.js'

const known = ['target_pid', 'heartbeat_interval', 'park', 'ws.join', 'ws.leave', 'ws.message']

t.test('finds a word in another style, or with at most two wrong letters', async (t) => {
  const words = {
    heartbeatInterval: 'heartbeat_interval',
    'Heartbeat-Interval': 'heartbeat_interval',
    heartbeat_intervall: 'heartbeat_interval',
    hartbeat_intervals: 'heartbeat_interval',
    Park: 'park',
    targetPid: 'target_pid',
    'ws.mesage': 'ws.message',
    'ws.massages': 'ws.message',
    'ws.leaf': 'ws.leave',
    wsJoin: 'ws.join'
  }
  for (const [given, word] of Object.entries(words)) t.equal(similarTo(given, known), word, given)
})

t.test('finds no word with more wrong letters, or for a short one', async (t) => {
  for (const given of ['user', 'bark', 'heartbeat', 'ws.msg', 'ws.mssgs', 'interval', '', '_']) {
    t.equal(similarTo(given, known), undefined, given)
  }
})
