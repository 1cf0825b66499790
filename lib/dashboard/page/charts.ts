// A chart over the last 5 minutes. uPlot draws lines on a canvas; the numbers are text beside it.
import { html, type TemplateResult } from 'lit-html'
import UPlot from 'uplot'
import { historyTime, type Point } from '../frames.js'
import type { Unit } from './format.js'
import type { Columns, History } from './history.js'

export interface Series {
  readonly name: string
  value (point: Point): number
}

const seconds = historyTime / 1000

/** The colours of the style sheet, as they are now: light or dark. */
let colours = new Map<string, string>()

function colour (name: string): string {
  let value = colours.get(name)
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
    colours.set(name, value)
  }
  return value
}

/** The seconds that are shown: at first one minute, so that the first points are not one dot. */
function spanOf ([times]: Columns): number {
  const age = times.length === 0 ? 0 : times.at(-1)! - times[0]!
  return Math.min(seconds, Math.max(60, Math.ceil(age / 60) * 60))
}

/** The times of labels: they stand still while the lines move. */
function labelled (now: number, span: number): number[] {
  const step = span === 60 ? 30 : span > 180 ? 120 : 60
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, n) => now - n * step).reverse()
}

function label (secondsAgo: number): string {
  if (secondsAgo === 0) return 'now'
  return secondsAgo < 60 ? `−${secondsAgo} s` : `−${secondsAgo / 60} min`
}

export class Chart {
  readonly title: string
  /** The canvas is here: a node that templates keep where it is. */
  readonly #host = document.createElement('div')
  readonly #series: readonly Series[]
  readonly #unit: Unit
  readonly #changed: () => void
  #plot: UPlot | undefined
  #columns: Columns = [[]]
  /** The index of the point below the pointer, in any of the charts. */
  #pointed: number | null | undefined

  /** @param changed called when the pointer is above another point */
  constructor (
    title: string, series: readonly Series[], unit: Unit, changed: () => void
  ) {
    this.title = title
    this.#series = series
    this.#unit = unit
    this.#changed = changed
    this.#host.className = 'plot'
    this.#host.setAttribute('role', 'img')
    new ResizeObserver(() => { this.#resize() }).observe(this.#host)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      colours = new Map()
      this.#plot?.redraw()
    })
  }

  #options (width: number, height: number): UPlot.Options {
    const { format, steps } = this.#unit
    const now = () => this.#columns[0].at(-1) ?? Date.now() / 1000
    const axis = {
      stroke: () => colour('soft'),
      ticks: { show: false },
      font: '11px system-ui, sans-serif'
    }
    return {
      width,
      height,
      padding: [8, 14, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false },
        sync: { key: 'time' },
        points: { size: 6 }
      },
      scales: {
        x: { time: false, range: () => [now() - spanOf(this.#columns), now()] },
        y: { range: (_, _min, max) => [0, max > 0 ? Math.max(max * 1.1, steps[0]) : 1] }
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 24,
          gap: 4,
          splits: () => labelled(now(), spanOf(this.#columns)),
          values: (_, times) => times.map((time) => label(Math.round(now() - time)))
        },
        {
          ...axis,
          grid: { stroke: () => colour('grid'), width: 1 },
          size: 60,
          gap: 6,
          space: 34,
          incrs: steps,
          values: (_, values) => values.map(format)
        }
      ],
      series: [{}, ...this.#series.map((_, index) => ({
        stroke: () => colour(`series-${index + 1}`),
        fill: index === 0 ? () => `${colour('series-1')}14` : undefined,
        width: 1.5,
        points: { show: false }
      }))],
      hooks: {
        setCursor: [({ cursor: { idx } }) => {
          if (idx === this.#pointed) return
          this.#pointed = idx
          this.#changed()
        }]
      }
    }
  }

  /** Draws when the element has a size, and again with each new size. */
  #resize (): void {
    const { clientWidth: width, clientHeight: height } = this.#host
    if (width === 0) return
    if (this.#plot !== undefined) this.#plot.setSize({ width, height })
    else this.#plot = new UPlot(this.#options(width, height), this.#data, this.#host)
  }

  get #data (): UPlot.AlignedData {
    return this.#columns as UPlot.AlignedData
  }

  /** Takes the points of a history. */
  update (history: History): void {
    this.#columns = history.columns(this.#series.map(({ value }) => value))
    this.#plot?.setData(this.#data)
    const { format } = this.#unit
    const words = this.#series.map(({ name }, index) => {
      const values = this.#columns[index + 1].filter((value) => value !== null)
      const most = values.length > 0 ? Math.max(...values) : 0
      return `${name} ${format(values.at(-1) ?? 0)} now, ${format(most)} at most`
    })
    this.#host.setAttribute('aria-label', `Last 5 minutes: ${words.join('; ')}`)
  }

  /** The figure, with the values of the newest point, or of the one below the pointer. */
  render (): TemplateResult {
    const index = this.#pointed ?? this.#columns[0].length - 1
    return html`<figure class="chart card">
      <figcaption><h2>${this.title}</h2><ul class="legend">${this.#series.map(({ name }, n) => {
        const value = this.#columns[n + 1]?.[index]
        return html`<li class="s${n + 1}"><b>${
          value === undefined || value === null ? '–' : this.#unit.format(value)
        }</b><i aria-hidden="true"></i>${name}</li>`
      })}</ul></figcaption>
      ${this.#host}
    </figure>`
  }
}
