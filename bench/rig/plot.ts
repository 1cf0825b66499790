const width = 640
const height = 360
const left = 64
const right = 150
const top = 24
const bottom = 44
const colours = ['#2563eb', '#dc2626', '#059669', '#9333ea', '#d97706', '#475569']

/** One line, with a value at each of the shared places. */
export interface Line { name: string, values: readonly number[] }

function escape (text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

/**
 * Draws a line chart as SVG. Both axes are logarithmic. Each power of ten has a horizontal rule.
 */
export function plot (
  title: string,
  unit: string,
  places: readonly number[],
  lines: readonly Line[]
): string {
  const all = lines.flatMap(({ values }) => values)
  const low = Math.floor(Math.log10(Math.min(...all)))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...all))))
  const [first, last] = [Math.log10(places[0]), Math.log10(places[places.length - 1])]
  const x = (place: number): number =>
    Math.round(left + ((Math.log10(place) - first) / (last - first)) * (width - left - right))
  const y = (value: number): number =>
    Math.round(
      height - bottom - ((Math.log10(value) - low) / (high - low)) * (height - top - bottom)
    )

  const parts = [`<text x="${left}" y="14" font-weight="bold">${escape(title)}</text>`]
  for (let power = low; power <= high; power++) {
    const at = y(10 ** power)
    parts.push(`<path d="M${left} ${at}H${width - right}" stroke="#cbd5e1"/>`)
    parts.push(
      `<text x="${left - 6}" y="${at + 4}" text-anchor="end">${10 ** power}` +
        `${power === high ? ` ${escape(unit)}` : ''}</text>`
    )
  }
  for (const place of places) {
    parts.push(
      `<text x="${x(place)}" y="${height - bottom + 18}" text-anchor="middle">` +
        `${place.toLocaleString('en')}</text>`
    )
  }
  // Each name is beside the end of its line, and does not overlap another one.
  let above = -Infinity
  const named = lines.map((line, i) => ({
    ...line,
    colour: colours[i % colours.length],
    end: y(line.values[line.values.length - 1])
  }))
  for (const { name, values, colour, end } of named.sort((a, b) => a.end - b.end)) {
    const points = values.map((value, i) => `${x(places[i])},${y(value)}`)
    parts.push(
      `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`
    )
    above = Math.max(end, above + 14)
    parts.push(
      `<text x="${width - right + 8}" y="${above + 4}" fill="${colour}">${escape(name)}</text>`
    )
  }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
    'font-family="system-ui, sans-serif" font-size="12" fill="#334155">\n' +
    `<rect width="${width}" height="${height}" fill="#fff"/>\n${parts.join('\n')}\n</svg>\n`
  )
}
