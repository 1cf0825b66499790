// Numbers, sizes and times as text.

/** A thin space between thousands, as in the docs: 12 345. */
export function count (n: number): string {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, '\u202f')
}

/** A rate or another number that may be small: 0, 0.4, 12, 3 400. */
export function decimal (n: number): string {
  return n !== 0 && Math.abs(n) < 10 ? String(Number(n.toFixed(1))) : count(n)
}

export function percent (share: number): string {
  return `${decimal(share * 100)}\u00a0%`
}

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** 512 B, 4.2 KiB, 118 MiB. */
export function bytes (n: number): string {
  let unit = 0
  while (n >= 1000 && unit < byteUnits.length - 1) {
    n /= 1024
    unit++
  }
  return `${unit === 0 ? Math.round(n) : decimal(n)}\u00a0${byteUnits[unit]}`
}

/** 0.4 ms, 120 ms, 2.5 s. */
export function milliseconds (ms: number): string {
  if (ms < 1000) return `${decimal(ms)}\u00a0ms`
  return ms < 10_000 ? `${decimal(ms / 1000)}\u00a0s` : duration(ms)
}

/** Two units at most: 3 s, 42 s, 5 min 10 s, 3 h 12 min, 4 d 2 h. */
export function duration (ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 1) return '0\u00a0s'
  const units: Array<[string, number]> = [['d', 86_400], ['h', 3600], ['min', 60], ['s', 1]]
  const first = units.findIndex(([, size]) => seconds >= size)
  let rest = seconds
  const parts = units.slice(first, first + 2).map(([name, size]) => {
    const n = Math.floor(rest / size)
    rest -= n * size
    return { n, text: `${n}\u00a0${name}` }
  })
  return parts.filter(({ n }) => n > 0).map(({ text }) => text).join(' ')
}

/** just now, 4 s ago, 3 min ago. One unit, because it changes all the time. */
export function ago (ms: number): string {
  return ms < 1000 ? 'just now' : `${duration(ms).split(' ')[0]} ago`
}

/** The time of day: 14:03:21. */
export function clockTime (at: number): string {
  return new Date(at).toLocaleTimeString(undefined, { hourCycle: 'h23' })
}

/** 1 connection, 3 connections. */
export function plural (n: number, noun: string, many = `${noun}s`): string {
  return `${count(n)} ${n === 1 ? noun : many}`
}

/** The unit of a chart. */
export interface Unit {
  format (n: number): string
  /** Possible steps of its axis. Each is large enough that two labels have different texts. */
  readonly steps: number[]
}

/** 1, 2 and 5 times each power of ten, from an exponent on. */
function decimalSteps (exponent: number): number[] {
  return Array.from({ length: 45 }, (_, n) => {
    return Number(`${[1, 2, 5][n % 3]}e${exponent + Math.floor(n / 3)}`)
  })
}

const binarySteps = Array.from({ length: 44 }, (_, n) => 2 ** n)

export const units = {
  count: { format: count, steps: decimalSteps(0) },
  rate: { format: decimal, steps: decimalSteps(-1) },
  milliseconds: { format: milliseconds, steps: decimalSteps(-1) },
  percent: { format: percent, steps: decimalSteps(-3) },
  bytes: { format: bytes, steps: binarySteps }
} satisfies Record<string, Unit>
