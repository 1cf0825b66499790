// One direction of numbered messages, and its small chart.

const bars = 72
const height = 20
const tallest = 6 // messages in one step; a taller bar is cut off

/** Counts the numbers 1, 2, 3 … as they arrive. */
export class Count {
  sent = 0
  received = 0
  doubled = 0
  lost = 0
  last = 0

  /** The number of a message that has come. */
  take (n) {
    if (n <= this.last) this.doubled++
    else {
      this.lost += n - this.last - 1
      this.received++
      this.last = n
    }
  }
}

/** A chart with one bar for each step of time: a gap is an outage, a tall bar what had waited. */
export class Chart {
  #path
  #steps = new Array(bars).fill(0)

  constructor (svg) {
    svg.setAttribute('viewBox', `0 0 ${bars * 5} ${height}`)
    svg.setAttribute('preserveAspectRatio', 'none')
    this.#path = svg.appendChild(document.createElementNS(svg.namespaceURI, 'path'))
    this.#draw()
  }

  add (messages = 1) { this.#steps[bars - 1] += messages }

  /** The next step begins. */
  step () {
    this.#draw()
    this.#steps.push(0)
    this.#steps.shift()
  }

  #draw () {
    const bar = (messages, n) => {
      const top = messages === 0 ? 1 : 2 + (height - 2) * Math.min(1, messages / tallest)
      return `M${n * 5} ${height}v${-top}h3.5v${top}z`
    }
    this.#path.setAttribute('d', this.#steps.map(bar).join(''))
  }
}
