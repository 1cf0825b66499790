// Accepted values, the problems of refused ones, and values that are hard to read.
import { parseConfig, parseControl } from '../../../lib/connection/config.js'
import type { ResolvedConfig } from '../../../lib/connection/config.js'

export const limits = { maxConfigSize: 8192, maxMetadataSize: 4096 }
export const pid = '42@local.mi3k9x2a'
export const day = 24 * 60 * 60 * 1000

export function accepted (value: unknown, using = limits): ResolvedConfig {
  const result = parseConfig(value, using)
  if (!result.ok) throw new Error(`refused: ${result.problem}`)
  return result.value
}

export function problem (value: unknown, using = limits): string {
  const result = parseConfig(value, using)
  return result.ok ? `accepted as ${JSON.stringify(result.value)}` : result.problem
}

export function controlProblem (value: unknown, using = limits): string {
  const result = parseControl(value, using)
  return result.ok ? `accepted as ${JSON.stringify(result.value)}` : result.problem
}

/** An object of so many levels, the innermost included. */
export function nested (levels: number, inner: unknown = {}): Record<string, unknown> {
  let value = inner
  for (let level = 2; level < levels; level++) value = level % 2 === 0 ? { deeper: value } : [value]
  return { deepest: value }
}

export const revoked = Proxy.revocable({}, {})
revoked.revoke()
export const circle: Record<string, unknown> = { target_pid: pid }
circle.circle = circle
export class Config { target_pid = pid }
