/**
 * Loaded before a process (NODE_OPTIONS=--import=…?file=…): moves its clock by what the file says, in milliseconds, as soon
 * as it says so. Everything that a process of ours knows of the wall clock comes from Date; monotonic clocks stay as they are,
 * which is what a machine whose clock is set does too.
 */
import { readFileSync, watchFile } from 'node:fs'

const file = new URL(import.meta.url).searchParams.get('file')
const Real = Date
let offsetMs = 0

class Skewed extends Real {
  constructor(...given) {
    if (given.length === 0) super(Skewed.now())
    else super(...given)
  }

  static now() {
    return Real.now() + offsetMs
  }
}

globalThis.Date = Skewed
watchFile(file, { interval: 200, persistent: false }, () => (offsetMs = Number(readFileSync(file, 'utf8'))))
