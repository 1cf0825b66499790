// Elements of the page. Text of other people is shown with `textContent`, never as HTML.

export const $ = (id) => document.getElementById(id)

/** An element: `el('p', { class: 'note' }, 'text or elements', …)`. */
export function el (name, attributes = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) {
      element.setAttribute(key, value === true ? '' : value)
    }
  }
  element.append(...children)
  return element
}

/** One of eight colours, always the same for a name. */
function tint (name) {
  let sum = 0
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 997
  return `tint-${sum % 8}`
}

export const avatar = (name) =>
  el('span', { class: `avatar ${tint(name)}`, 'aria-hidden': 'true' }, [...name][0].toUpperCase())

/** Enables or disables elements of a form. */
export function enable (elements, on) {
  for (const element of elements) element.disabled = !on
}
