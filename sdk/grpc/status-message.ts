/** `grpc-message` is text with all but printable ASCII in percent-encoded UTF-8. */
export function encodeMessage(text: string): string {
  return /^[ -$&-~]*$/.test(text) ? text : encodeURIComponent(text.toWellFormed()).replaceAll('%20', ' ')
}

/** The text; as it came if it is not valid. */
export function decodeMessage(encoded: string): string {
  if (!encoded.includes('%')) return encoded
  try {
    return decodeURIComponent(encoded)
  } catch {
    return encoded
  }
}
