// GET /usage: the CPU time and memory of this process. `?gc` collects garbage first (needs
// --expose-gc).
export function usage (url) {
  if (url.endsWith('?gc')) for (let i = 0; i < 3; i++) globalThis.gc()
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  return JSON.stringify({ cpu: user + system, rss, heapUsed })
}

/** Prints the port for the rig, and stops at SIGTERM. */
export function announce (server) {
  console.log(JSON.stringify({ port: server.address().port }))
  process.on('SIGTERM', () => process.exit())
}

export const listenOptions = { port: 0, host: '127.0.0.1', backlog: 4096 }
