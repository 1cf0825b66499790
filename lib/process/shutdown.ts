import type { Runtime } from './runtime.js'

/**
 * Ends everything: supervisors are cancelled first, and stop their children in reverse; when they
 * are gone, or after half of `timeout`, all others, the youngest first. Those left after `timeout`
 * milliseconds are ended.
 */
export async function shutDown (runtime: Runtime, timeout: number): Promise<void> {
  const half = alarm(timeout / 2)
  const late = alarm(timeout)
  for (const pid of [...runtime.supervisors].reverse()) runtime.cancel(pid)
  await Promise.race([runtime.waitUntil(() => runtime.supervisors.size === 0), half.rung])
  half.stop()
  for (const entity of [...runtime.entities].reverse()) entity.cancel(undefined, 'shutdown')
  await Promise.race([runtime.waitUntil(() => runtime.aliveCount === 0), late.rung])
  late.stop()
  for (const entity of [...runtime.entities].reverse()) entity.end('shutdown')
}

function alarm (ms: number): { rung: Promise<void>, stop (): void } {
  let timer: NodeJS.Timeout
  const rung = new Promise<void>((resolve) => { timer = setTimeout(resolve, ms) })
  return { rung, stop: () => { clearTimeout(timer) } }
}
