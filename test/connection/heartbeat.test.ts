import t from 'tap'
import { Heartbeat } from '../../lib/connection/heartbeat.js'
import { DeadlineTimer } from '../../lib/shared/deadline-timer.js'
import { ManualClock } from '../properties/clock.js'

t.test('sends heartbeats at its interval until it is stopped', async (t) => {
  const clock = new ManualClock()
  let sent = 0
  const client = { sendHeartbeat () { sent++ } }
  const heartbeat = new Heartbeat(client, new DeadlineTimer(clock), 1000)
  clock.advance(500)
  t.equal(sent, 0)
  for (const times of [1, 2, 3]) {
    clock.advance(1100)
    t.equal(sent, times)
  }
  heartbeat.stop()
  clock.advance(5000)
  t.equal(sent, 3)
  t.equal(clock.runningTimers, 0)
})
