/** A piece of text at a place; what XML would take for markup is escaped. */
export function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${at(x)}" y="${at(y)}"${attributes && ` ${attributes}`}>${content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`
}

/** A coordinate, to a tenth. */
export function at(value: number): string {
  return String(Math.round(value * 10) / 10)
}
