/**
 * HPACK's Huffman code (RFC 7541, appendix B). It is canonical: codes of one length follow each other in the order of
 * their symbols, so the lengths alone say what every code is.
 */

// The length in bits of the code of each byte value, 0 to 255. The 257th symbol, EOS, must not occur in a string.
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26,
]
const lengthMax = 30

/** Symbols sorted by their codes; those of one length begin at `offsets[length]` with the code `firsts[length]`. */
const symbols = lengths.map((_, symbol) => symbol).toSorted((a, b) => lengths[a]! - lengths[b]! || a - b)
const counts = Array.from({ length: lengthMax + 1 }, (_, length) => lengths.filter((one) => one === length).length)
const firsts: number[] = [0]
const offsets: number[] = [0]
for (let length = 1; length <= lengthMax; length++) {
  firsts[length] = (firsts[length - 1]! + counts[length - 1]!) * 2
  offsets[length] = offsets[length - 1]! + counts[length - 1]!
}

/** Decodes a Huffman-coded string of bytes; undefined when it is not one. */
export function huffmanDecode(bytes: Uint8Array): string | undefined {
  let text = ''
  let code = 0
  let length = 0
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1)
      length++
      const index = code - firsts[length]!
      if (index < counts[length]!) {
        text += String.fromCharCode(symbols[offsets[length]! + index]!)
        code = 0
        length = 0
      } else if (length === lengthMax) return undefined
    }
  }
  // What is left must be padding: fewer than eight bits, all of them ones.
  return length < 8 && code === 2 ** length - 1 ? text : undefined
}
