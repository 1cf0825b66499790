// The dialog before an action: what will happen to which process, the fields, and a confirmation.
import { html, nothing, render, type TemplateResult } from 'lit-html'
import type { Acted, Problem } from '../frames.js'
import type { Order } from './session.js'
import type { Content } from './ui.js'

type Name = Order['action']

interface Field {
  readonly name: string
  readonly label: string
  readonly placeholder?: string
  readonly isRequired?: true
  readonly isLong?: true
}

interface Form {
  readonly title: string
  readonly text: string
  readonly confirm: string
  readonly fields: readonly Field[]
  readonly isDangerous?: true
}

const forms: Readonly<Record<Name, Form>> = {
  close: {
    title: 'Close the connection',
    text: 'The client sees the code and the reason. Most clients come back by themselves.',
    confirm: 'Close it',
    fields: [
      { name: 'code', label: 'Close code', placeholder: '1000' },
      { name: 'reason', label: 'Reason', placeholder: 'none' }
    ],
    isDangerous: true
  },
  transfer: {
    title: 'Transfer the connection',
    text: 'Another process gets the messages of the client from now on.',
    confirm: 'Transfer it',
    fields: [{ name: 'target', label: 'PID or name of the new target', isRequired: true }]
  },
  send: {
    title: 'Send a message',
    text: 'It is put into the mailbox, as a message of any other process.',
    confirm: 'Send it',
    fields: [
      { name: 'topic', label: 'Topic', isRequired: true },
      { name: 'payload', label: 'Payload as JSON', placeholder: 'none', isLong: true }
    ]
  },
  cancel: {
    title: 'Ask the process to stop',
    text: 'Its body is told, and may clean up. Its supervisor may start it again.',
    confirm: 'Ask it to stop',
    fields: [{ name: 'reason', label: 'Reason', placeholder: 'shutdown' }],
    isDangerous: true
  },
  exit: {
    title: 'End the process now',
    text: 'It gets no more turns. Its supervisor may start it again. Its connections may close.',
    confirm: 'End it now',
    fields: [{ name: 'reason', label: 'Reason', placeholder: 'shutdown' }],
    isDangerous: true
  }
}

/** @throws Error with words for the user, if a field is not valid */
function orderOf (action: Name, pid: string, values: FormData): Order {
  const fields: Record<string, unknown> = {}
  for (const { name } of forms[action].fields) {
    const text = String(values.get(name)).trim()
    if (text === '') continue
    if (name === 'code') {
      if (!/^\d+$/.test(text)) throw new Error('The close code is a number')
      fields.code = Number(text)
    } else if (name === 'payload') fields.payload = parse(text)
    else fields[name] = text
  }
  return { action, pid, ...fields } as Order
}

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('The payload is not JSON')
  }
}

/** One dialog element for all actions. */
export class ActionDialog {
  readonly element = document.createElement('dialog')
  readonly #act: (order: Order) => Promise<Acted | Problem>
  readonly #done: (text: string) => void
  #problem = ''
  #isBusy = false

  /**
   * @param act sends an action, and resolves with the answer
   * @param done called with words for the user when an action was accepted
   */
  constructor (act: (order: Order) => Promise<Acted | Problem>, done: (text: string) => void) {
    this.#act = act
    this.#done = done
  }

  open (action: Name, pid: string, title: string): void {
    this.#problem = ''
    this.#isBusy = false
    render(nothing, this.element) // empty fields
    this.#draw(action, pid, title)
    this.element.showModal()
  }

  #draw (action: Name, pid: string, title: string): void {
    const { title: heading, text, confirm, fields, isDangerous } = forms[action]
    const submit = (event: SubmitEvent) => {
      event.preventDefault()
      this.#confirm(action, pid, title, new FormData(event.target as HTMLFormElement))
        .catch((err: Error) => {
          this.#problem = err.message
          this.#isBusy = false
          this.#draw(action, pid, title)
        })
    }
    this.element.setAttribute('aria-labelledby', 'dialog-title')
    render(html`<form @submit=${submit}>
      <h2 id="dialog-title">${heading}</h2>
      <p><strong>${title}</strong>${title === pid
        ? nothing
        : html` <span class="pid">${pid}</span>`}</p>
      <p class="sub">${text}</p>
      ${fields.map((field) => this.#field(field))}
      <p role="alert" class="over">${this.#problem}</p>
      <footer>
        <button type="button" @click=${() => { this.element.close() }}>Leave it</button>
        <button class="primary ${isDangerous === true ? 'danger' : ''}" ?disabled=${this.#isBusy}
          >${confirm}</button>
      </footer>
    </form>`, this.element)
  }

  #field ({ name, label, placeholder = '', isRequired, isLong }: Field): TemplateResult {
    const field: Content = isLong === true
      ? html`<textarea id="field-${name}" name=${name} placeholder=${placeholder}></textarea>`
      : html`<input id="field-${name}" name=${name} placeholder=${placeholder} autocomplete="off"
          spellcheck="false" ?required=${isRequired === true}>`
    return html`<label for="field-${name}">${label}</label>${field}`
  }

  async #confirm (action: Name, pid: string, title: string, values: FormData): Promise<void> {
    const order = orderOf(action, pid, values)
    this.#isBusy = true
    this.#draw(action, pid, title)
    const result = await this.#act(order)
    if (!('ok' in result) || !result.ok) throw new Error(result.message ?? 'It was refused')
    this.element.close()
    this.#done(`${forms[action].title}: done, for ${title}`)
  }
}
