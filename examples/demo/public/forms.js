// The inputs of the views.

/** Sends the text of a form. The text stays in the input when it could not be sent. */
export function composer (form, send) {
  const input = form.querySelector('input')
  form.onsubmit = (event) => {
    event.preventDefault()
    const text = input.value.trim()
    if (text !== '' && send(text)) input.value = ''
    input.focus()
  }
}

/** Focuses an input, unless another one has the focus or a phone would open its keyboard. */
export function beginTyping (input) {
  const isIdle = document.activeElement === document.body || document.activeElement?.disabled
  if (isIdle && window.matchMedia('(pointer: fine)').matches) input.focus()
}

const names = [
  'Ada',
  'Grace',
  'Edsger',
  'Barbara',
  'Joe',
  'Robert',
  'Hedy',
  'Alan',
  'Radia',
  'Niklaus'
]

/** The last name of this window, or a default one. */
export function rememberName (input, key) {
  input.value = sessionStorage.getItem(key) ?? names[Math.floor(Math.random() * names.length)]
  input.addEventListener('change', () => sessionStorage.setItem(key, input.value))
}
