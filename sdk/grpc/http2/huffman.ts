/** The Huffman code of HPACK (RFC 7541, appendix B), for reading; what we write is never compressed. */

/** The length of each symbol's code in bits; the last symbol is the end of the string. The code is canonical. */
// oxfmt-ignore
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
]
const endSymbol = 256

/** A tree in an array: entries 2n and 2n+1 are what follows node n by a 0 or a 1: a node's number, or ~symbol. */
const tree = buildTree()

function buildTree(): Int16Array {
  const nodes = new Int16Array(2 * lengths.length)
  let nodeCount = 1
  let code = 0
  let codeLength = 0
  const symbols = lengths.map((_, symbol) => symbol).sort((a, b) => lengths[a]! - lengths[b]! || a - b)
  for (const symbol of symbols) {
    code *= 2 ** (lengths[symbol]! - codeLength)
    codeLength = lengths[symbol]!
    let node = 0
    for (let bit = codeLength - 1; bit > 0; bit--) {
      const edge = 2 * node + ((code >>> bit) & 1)
      if (nodes[edge] === 0) nodes[edge] = nodeCount++
      node = nodes[edge]!
    }
    nodes[2 * node + (code & 1)] = ~symbol
    code += 1
  }
  return nodes
}

/** The text, one character for each byte; undefined if it is no valid code. */
export function decodeHuffman(bytes: Uint8Array): string | undefined {
  const out = Buffer.allocUnsafe(Math.ceil((bytes.length * 8) / 5))
  let length = 0
  let node = 0
  // Bits since the last symbol, and whether all of them are ones: what may stand after it as padding.
  let bits = 0
  let isPadding = true
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const value = (byte >>> bit) & 1
      const next = tree[2 * node + value]!
      bits += 1
      isPadding &&= value === 1
      if (next >= 0) {
        node = next
        continue
      }
      if (~next === endSymbol) return undefined
      out[length++] = ~next
      node = 0
      bits = 0
      isPadding = true
    }
  }
  return bits < 8 && isPadding ? out.toString('latin1', 0, length) : undefined
}
