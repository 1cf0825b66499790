/** A pace of numbered messages: `count` for each client, evenly over `duration` milliseconds. */
export interface Pace { clients: number, count: number, duration: number }

const tick = 50

/**
 * Sends the numbers from 1 to `count` to or from each client. A tick that comes late sends what is
 * due, so the pace is kept.
 *
 * @returns ends it
 */
export function run ({ clients, count, duration }: Pace, send: (id: number, n: number) => void) {
  const begin = performance.now()
  const sent = Array.from({ length: clients }, () => 0)
  const timer = setInterval(() => {
    const progress = (performance.now() - begin) / duration * count
    for (let id = 0; id < clients; id++) {
      // Clients take their turns one after the other, not all in one tick.
      const due = Math.min(count, Math.floor(progress + 1 - (id + 1) / clients))
      while (sent[id] < due) send(id, ++sent[id])
    }
    if (progress > count + 1) clearInterval(timer)
  }, tick)
  return (): void => { clearInterval(timer) }
}
