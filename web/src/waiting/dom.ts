// The few lines of DOM that this page needs instead of a framework.

type Child = Node | string | undefined;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** Sets the text only if it differs: no needless work, no repeated announcement. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
