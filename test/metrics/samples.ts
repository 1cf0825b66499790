// Reads a metric as Prometheus does: from the text of a registry.
import * as client from 'prom-client'
import { collect } from '../../lib/metrics/index.js'
import type { MeasuredProcesses } from '../../lib/metrics/index.js'

/** The samples of a text, by name and labels. */
export function parse (text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => {
    const space = line.lastIndexOf(' ')
    return [line.slice(0, space), Number(line.slice(space + 1).replace('+Inf', 'Infinity'))]
  }))
}

/** All samples of one metric, by the values of its labels with a blank between them. */
export async function read (
  processes: MeasuredProcesses, name: string
): Promise<Record<string, number>> {
  const registry = new client.Registry()
  collect(processes, client, { registry })
  const samples = parse(await registry.getSingleMetricAsString(`ws_relay_${name}`))
  return Object.fromEntries(Array.from(samples, ([key, value]) => {
    return [Array.from(key.matchAll(/="([^"]*)"/g), ([, label]) => label).join(' '), value]
  }))
}

/** The samples of {@link read} that are not 0. */
export async function readCounted (
  processes: MeasuredProcesses, name: string
): Promise<Record<string, number>> {
  const all = await read(processes, name)
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== 0))
}
